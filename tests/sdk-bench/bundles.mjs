// Makes one minified script of each library, as a page would load it, and says how large they are.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { KEY, LIBRARIES, SIZE_ONLY } from './libraries.mjs';

const SDK = new URL('../../sdk-wasm/', import.meta.url);
const ENTRY = fileURLToPath(new URL('dist/browser.js', SDK));
const WASM = ['signer.wasm', 'ed25519.wasm'];
const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Everything that is served and measured: `scripts` by id, the .wasm by name, and by id how many bytes a page loads. */
export async function makeBundles() {
  if (!existsSync(ENTRY)) throw new Error(`no ${ENTRY}: run \`make sdk\` first`);
  const wasm = new Map(WASM.map((name) => [name, readFileSync(fileURLToPath(new URL(`dist/${name}`, SDK)))]));
  const scripts = new Map();
  const sizes = new Map();
  for (const { id, npm } of LIBRARIES) {
    const script = await bundle(`export * from './libraries/${id}.mjs';`);
    scripts.set(id, script);
    sizes.set(id, npm === 'countersign' ? await sizeOfSdk(loadedBy(id, wasm)) : { total: gzipped(script) });
  }
  sizes.set(SIZE_ONLY.id, { total: gzipped(await bundle(`export * from '${SIZE_ONLY.npm}';`)) });
  return { scripts, wasm, sizes };
}

/** The version of a package as it is installed here. */
export function versionOf(npm) {
  const folder = npm === 'countersign' ? SDK : new URL(`node_modules/${npm}/`, import.meta.url);
  return JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).version;
}

async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: HERE },
    alias: { countersign: ENTRY },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  });
  return Buffer.from(outputFiles[0].contents);
}

/** A page whose key is WebCrypto's loads only the wallet; verifying, which is measured of it too, is not what such a page does. */
function loadedBy(id, wasm) {
  return id === KEY.id ? [...wasm.values()] : [wasm.get('signer.wasm')];
}

async function sizeOfSdk(binaries) {
  const script = gzipped(await bundle("export * from 'countersign';"));
  const wasm = binaries.map(gzipped).reduce((sum, size) => sum + size, 0);
  return { total: script + wasm, wasm };
}

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
