import { join } from 'node:path';
import * as vite from 'vite';
import * as vite7 from 'vite7';
import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';
import { pageSigns } from '../signing.mjs';

const QUIET = { logLevel: 'error', configFile: false };

/** The production build of an app. */
const built = (name, app, options) => ({
  name,
  async test({ browser }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    await vite.build({ ...QUIET, root: path });
    return builtSigns(browser, join(path, 'dist'), options);
  },
});

/** The development server. */
const served = (name, app, createServer, config) => ({
  name,
  async test({ browser, server, wallets }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    const development = await createServer({ ...QUIET, ...config, root: path });
    try {
      await development.listen(0);
      const { port } = development.httpServer.address();
      return await pageSigns(server, browser, `http://localhost:${port}/?server=${encodeURIComponent(wallets)}`);
    } finally {
      await development.close();
    }
  },
});

// The worker's own address is a string, which no policy with Trusted Types takes: bundlers find it only as such.
const UNPOLICED = { prepare() {}, context: { bypassCSP: true } };

export default [
  served('Vite dev server', 'page', vite.createServer),
  served('Vite dev server, worker', 'worker', vite.createServer),
  // Before version 8 it moved what it optimised away from the .wasm.
  served('Vite 7 dev server', 'page', vite7.createServer, { optimizeDeps: { exclude: ['countersign'] } }),
  built('Vite build', 'page'),
  built('Vite build, worker', 'worker', UNPOLICED),
];
