/** The package lies beside the pages of bare-page.mjs; its types are those that `sdk-wasm/build.sh` has made. */
export * from '../../../../sdk-wasm/dist/types/entries/import.js';
