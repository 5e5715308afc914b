// Makes dist/ of build/: one script for each entry that package.json exports, what they share in chunks, and the types they show.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { build } from 'esbuild';

const { exports, version } = JSON.parse(readFileSync('package.json', 'utf8'));

/** The files in dist/ that an entry of package.json's `exports` names, under whatever condition. */
const named = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(named));
const files = [...new Set(named(exports))].filter((file) => file.startsWith('./dist/')).map((file) => basename(file));
const scripts = files.filter((file) => file.endsWith('.js'));

/** A file of types and all that it takes types from. */
function closure(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const types = readFileSync(join('build', file), 'utf8');
  for (const [, script] of types.matchAll(/(?:from|import)\s*\(?['"]\.\/([\w-]+)\.js['"]/g)) closure(`${script}.d.ts`, found);
  return found;
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
writeFileSync('build/signer.deflate', deflateRawSync(readFileSync('build/signer.wasm'), { level: 9 }));
await build({
  entryPoints: scripts.map((file) => join('build', file)),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  minify: true,
  sourcemap: true,
  format: 'esm',
  // What runs WebAssembly of this kind reads this, too.
  target: 'es2022',
  platform: 'neutral',
  packages: 'external',
  external: ['node:*', './*.wasm'],
  loader: { '.deflate': 'base64' },
  chunkNames: 'chunk-[hash]',
  banner: { js: `// countersign ${version}, MIT OR Apache-2.0` },
  logLevel: 'warning',
});
for (const file of files.filter((file) => file.endsWith('.wasm'))) copyFileSync(join('build', file), join('dist', file));
for (const script of scripts) closure(typesOf(script)).forEach((file) => copyFileSync(join('build', file), join('dist', file)));

/** The entries for single platforms have the types of index.js. */
function typesOf(script) {
  const entry = Object.values(exports).find((one) => named(one).includes(`./dist/${script}`));
  return basename(entry.types ?? script.replace(/\.js$/, '.d.ts'));
}
