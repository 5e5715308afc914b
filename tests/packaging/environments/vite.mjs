import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { join } from 'node:path';
import * as vite from 'vite';
import * as vite7 from 'vite7';
import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';
import { portOf } from '../port.mjs';
import { pageSigns } from '../signing.mjs';

/** @type {{ logLevel: 'error', configFile: false }} */
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

/** The development server, on a port that the system chose. */
const served = (name, app, createServer, config) => ({
  name,
  async test({ browser, server, wallets }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    const web = createHttpServer((request, response) => development.middlewares(request, response));
    const development = await createServer({ ...QUIET, ...config, root: path, server: { middlewareMode: true, hmr: { server: web } } });
    try {
      await once(web.listen(0, '127.0.0.1'), 'listening');
      return await pageSigns(server, browser, `http://127.0.0.1:${portOf(web)}/?server=${encodeURIComponent(wallets)}`);
    } finally {
      await development.close();
      web.closeAllConnections();
      web.close();
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
