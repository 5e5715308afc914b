// Makes dist/ of build/: one script for each entry that package.json exports, two that they share, and the types they show.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { build } from 'esbuild';

const { exports, version } = JSON.parse(readFileSync('package.json', 'utf8'));

/** The files that an entry of package.json's `exports` names, under whatever condition. */
const named = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(named));
const files = [...new Set(named(exports))].filter((file) => file.startsWith('./dist/')).map((file) => file.replace('./dist/', ''));
const ending = (end) => files.filter((file) => file.endsWith(end));

/** A file of types and all that it takes types from. */
function closure(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const types = readFileSync(join('build', file), 'utf8');
  for (const [, script] of types.matchAll(/(?:from|import)\s*\(?['"](\.\.?\/[\w/-]+)\.js['"]/g)) {
    closure(join(dirname(file), `${script}.d.ts`), found);
  }
  return found;
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
for (const file of ending('.wasm')) {
  copyFileSync(join('build', file), join('dist', file));
  writeFileSync(join('build', file.replace('.wasm', '.deflate')), deflateRawSync(readFileSync(join('build', file)), { level: 9 }));
}
/** In a script of its own each, that the others import: what must be there once, and the `.wasm` as text, which not all need. */
const common = ['shared.js', 'embedded.js'];

const scripts = [...ending('.js'), ...common].map((file) =>
  build({
    entryPoints: [join('build/entries', file)],
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
);
await Promise.all(scripts);

for (const file of new Set(ending('.d.ts').flatMap((entry) => [...closure(entry)]))) {
  mkdirSync(dirname(join('dist', file)), { recursive: true });
  copyFileSync(join('build', file), join('dist', file));
}
