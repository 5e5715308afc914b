// Makes dist/ of build/: one script for each entry that package.json exports, one that they share, and the types they show.
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
const binaries = files.filter((file) => file.endsWith('.wasm'));
for (const file of binaries) {
  copyFileSync(join('build', file), join('dist', file));
  writeFileSync(join('build', file.replace('.wasm', '.deflate')), deflateRawSync(readFileSync(join('build', file)), { level: 9 }));
}
/** In a script of its own each, that the others import: what must be there once, and the `.wasm` as text, which not all need. */
const common = ['shared.js', 'embedded.js'];

await Promise.all(
  [scripts, ...common].map((files) =>
    build({
      entryPoints: [files].flat().map((file) => join('build', file)),
      outdir: 'dist',
      bundle: true,
      minify: true,
      sourcemap: true,
      format: 'esm',
      // What runs WebAssembly of this kind reads this, too.
      target: 'es2022',
      platform: 'neutral',
      packages: 'external',
      external: ['node:*', './*.wasm', ...common.map((file) => `./${file}`)],
      loader: { '.deflate': 'base64' },
      banner: { js: `// countersign ${version}, MIT OR Apache-2.0` },
      logLevel: 'warning',
    }),
  ),
);
for (const script of scripts) closure(typesOf(script)).forEach((file) => copyFileSync(join('build', file), join('dist', file)));

/** The entries for single platforms have the types of index.js. */
function typesOf(script) {
  const entry = Object.values(exports).find((one) => named(one).includes(`./dist/${script}`));
  return basename(entry.types ?? script.replace(/\.js$/, '.d.ts'));
}
