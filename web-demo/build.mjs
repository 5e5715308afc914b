// Makes dist/ of src/ and the packed SDK: what a browser loads is in few files, under an address that changes with their content, and
// compressed once for all.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { documents } from './documents.mjs';

// The one that the SDK is built with.
const { build } = createRequire(new URL('../sdk-wasm/package.json', import.meta.url))('esbuild');

/** The package as `npm install countersign` lays it down. */
const PACKAGE = 'build/package/dist';
const PAGES = ['index.html', 'second-tab.html'];
/** What the pages' addresses of such files begin with in src/. */
const ASSETS = /(?<==")assets\//g;

/** @param {import('../sdk-wasm/node_modules/esbuild').BuildOptions} options */
async function bundle(options) {
  const { outputFiles = [] } = await build({
    bundle: true,
    minify: true,
    sourcemap: true,
    sourcesContent: true,
    target: 'es2022',
    write: false,
    outdir: 'out',
    logLevel: 'warning',
    ...options,
  });
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
}

/** @param {string} path */
const copied = (path) => ({ name: basename(path), contents: readFileSync(path) });

const assets = [
  ...(await bundle({
    entryPoints: { main: 'src/js/main.js', 'second-tab': 'src/js/attacks/second-tab-page.js' },
    format: 'esm',
    splitting: true,
    alias: { countersign: `./${PACKAGE}/browser.js` },
  })),
  ...(await bundle({ entryPoints: ['src/js/theme.js', 'src/styles/page.css'] })),
  // Beside the script, where the package looks for them.
  copied(join(PACKAGE, 'signer.wasm')),
  copied(join(PACKAGE, 'ed25519.wasm')),
  copied('src/logo.svg'),
].sort((one, other) => (one.name < other.name ? -1 : 1));

const hash = createHash('sha256');
for (const { name, contents } of assets) hash.update(`${name}\0${contents.length}\0`).update(contents);
const directory = `immutable/${hash.digest('hex').slice(0, 16)}`;

/**
 * @param {string} path in dist/
 * @param {Uint8Array | string} contents
 */
function write(path, contents) {
  const bytes = Buffer.from(contents);
  writeFileSync(join('dist', path), bytes);
  if (path.endsWith('.map')) return;
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(join('dist', `${path}.br`), brotliCompressSync(bytes, { params: quality }));
  writeFileSync(join('dist', `${path}.gz`), gzipSync(bytes, { level: 9 }));
}

/**
 * What a page shows as code, and tests run: a file, or the first block of a document in a language with some words in it.
 *
 * @param {string} path
 * @param {string} language empty for a file
 * @param {string} words
 */
function code(path, language, words) {
  const text = readFileSync(path, 'utf8');
  const blocks = [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, block]) => block);
  const found = language === '' ? text : blocks.find((block) => block.includes(words));
  if (found === undefined) throw new Error(`${path} has no block in ${language} with ${words}`);
  return found.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** @param {string} html */
const withCode = (html) => html.replace(/\{\{(\S+) ?(\S*) ?(.*?)\}\}/g, (_, path, language, words) => code(path, language, words));

rmSync('dist', { recursive: true, force: true });
mkdirSync(join('dist', directory), { recursive: true });
mkdirSync('dist/docs');
for (const { name, contents } of assets) write(join(directory, name), contents);
for (const page of PAGES) write(page, withCode(readFileSync(join('src', page), 'utf8')).replace(ASSETS, `${directory}/`));
for (const { path, html } of documents(`../${directory}`)) write(path, html);
