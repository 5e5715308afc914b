import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import webpack from 'webpack';
import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';
import { under, WITHOUT_TRUSTED_TYPES } from '../policies.mjs';

/** The production build of an app, without any configuration of loaders. */
const environment = (name, app, options) => ({
  name,
  async test({ browser }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    const compiler = webpack({
      mode: 'production',
      context: path,
      entry: './main.js',
      output: { path: join(path, 'dist'), filename: 'main.js' },
      // Sizes have a budget of their own.
      performance: false,
    });
    const stats = await promisify((done) => compiler.run(done))();
    await promisify((done) => compiler.close(done))();
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString('errors-warnings'));
    await copyFile(join(path, 'index.html'), join(path, 'dist/index.html'));
    return builtSigns(browser, join(path, 'dist'), options);
  },
});

export default [
  environment('webpack 5', 'page'),
  // Larger than some 50 KB, a package is a script of its own to webpack, which the worker loads by importScripts().
  environment('webpack 5, worker', 'worker', { prepare: under(WITHOUT_TRUSTED_TYPES) }),
];
