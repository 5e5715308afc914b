/** The package lies beside the built page, in dist/countersign; its types are those that `sdk-wasm/build.sh` has made. */
export * from '../../../sdk-wasm/dist/types/entries/import.js';
