// Bundles each library as an application would, and says how many bytes a page downloads for it.

import { build } from 'esbuild';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { LIBRARIES, WALLET_CONNECT } from './libraries/index.mjs';

const WASM = new URL('../../sdk-wasm/dist/signer.wasm', import.meta.url);

const options = {
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  external: ['*.wasm'],
  logLevel: 'error',
};

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** Writes one script for each library into `folder`; answers the gzipped bytes of each. */
export async function bundles(folder) {
  await build({ ...options, entryPoints: LIBRARIES.map(({ id }) => `libraries/${id}.js`), outdir: join(folder, 'libraries') });
  copyFileSync(WASM, join(folder, 'libraries', 'signer.wasm'));
  const sizes = LIBRARIES.map(({ id }) => [id, gzipped(readFileSync(join(folder, 'libraries', `${id}.js`)))]);
  const found = Object.fromEntries(sizes);
  found.countersign += gzipped(readFileSync(WASM));
  return found;
}

/** The gzipped bytes of WalletConnect's client for requests to a wallet. */
export async function walletConnect() {
  const contents = `export { SignClient } from '${WALLET_CONNECT}';`;
  const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: import.meta.dirname }, write: false });
  return gzipped(outputFiles[0].contents);
}

/** The version of a package that is installed here. */
export function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
