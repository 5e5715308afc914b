import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { writeExamples } from '../examples.mjs';
import { folder, run, tarball, tool } from '../folder.mjs';

const sdk = fileURLToPath(new URL('../../../sdk-wasm/', import.meta.url));
const reactTypes = fileURLToPath(new URL('../node_modules/@types/react', import.meta.url));

const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  allowJs: true,
  checkJs: true,
  jsx: 'react-jsx',
  target: 'es2022',
  lib: ['es2023', 'dom', 'esnext.disposable'],
  types: [],
};

/** The compiler's options as the users of bundlers and of Node.js have them. */
const RESOLUTIONS = { bundler: { module: 'preserve', moduleResolution: 'bundler' }, nodenext: { module: 'nodenext' } };

const examples = (name) => ({
  name: `examples, ${name}`,
  async test() {
    const path = await folder(`examples-${name}`, 'examples', { npm: [reactTypes] });
    const exported = Object.keys(await import(pathToFileURL(join(path, 'node_modules/countersign/dist/node.js')).href));
    const count = await writeExamples(path, exported);
    const compilerOptions = { ...STRICT, ...RESOLUTIONS[name] };
    await writeFile(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['README*', '*.ts-*', '*.d.ts'] }));
    await run(tool('tsc'), ['-p', path]);
    return `${count} of the README and the types hold`;
  },
});

export default [
  {
    name: 'size',
    async test() {
      const { stderr } = await run(process.execPath, ['budget.mjs'], { cwd: sdk });
      return stderr.trim().replaceAll('sdk-wasm: ', '').replaceAll('\n', '; ');
    },
  },
  {
    name: 'publint',
    async test() {
      const { buffer } = new Uint8Array(await readFile(tarball));
      const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
      if (messages.length > 0) throw new Error(messages.map((message) => formatMessage(message, pkg, { color: false })).join('\n'));
      return 'clean';
    },
  },
  {
    name: 'npm publish',
    async test() {
      const { stdout, stderr } = await run('npm', ['publish', '--dry-run', tarball]);
      // What npm would change before it uploads, for instance a path that it writes differently.
      if (/auto-corrected|npm warn .*(invalid|ignored)/i.test(stderr)) throw new Error(stderr);
      return `would be ${stdout.trim().replace('+ ', '')}`;
    },
  },
  {
    name: 'are the types wrong?',
    async test() {
      const { exports } = JSON.parse(await readFile(join(sdk, 'package.json'), 'utf8'));
      const binaries = Object.keys(exports).filter((entry) => entry.endsWith('.wasm'));
      await run(tool('attw'), [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color', '--exclude-entrypoints', ...binaries]);
      return 'no';
    },
  },
  examples('bundler'),
  examples('nodenext'),
];
