import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';

export default [
  {
    name: 'esbuild',
    async test({ browser }) {
      const path = await folder('esbuild', 'page');
      const webRoot = join(path, 'built');
      await build({ entryPoints: [join(path, 'main.js')], outdir: webRoot, bundle: true, minify: true, format: 'esm', logLevel: 'silent' });
      // esbuild leaves `new URL(…)` as it is: the files are copied by hand, and the README says so.
      for (const file of ['signer.wasm', 'ed25519.wasm'])
        await copyFile(join(path, 'node_modules/countersign/dist', file), join(webRoot, file));
      await copyFile(join(path, 'index.html'), join(webRoot, 'index.html'));
      return builtSigns(browser, webRoot);
    },
  },
];
