import { join } from 'node:path';
import { build, createServer } from 'vite';
import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';
import { pageSigns } from '../signing.mjs';

const QUIET = { logLevel: 'error', configFile: false };

/** The production build of an app. */
const built = (name, app, options) => ({
  name,
  async test({ browser }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    await build({ ...QUIET, root: path });
    return builtSigns(browser, join(path, 'dist'), options);
  },
});

/** The development server. */
const served = (name, app) => ({
  name,
  async test({ browser, server, wallets }) {
    const path = await folder(name.replace(/\W+/g, '-'), app);
    const vite = await createServer({ ...QUIET, root: path });
    try {
      await vite.listen(0);
      const { port } = vite.httpServer.address();
      return await pageSigns(server, browser, `http://localhost:${port}/?server=${encodeURIComponent(wallets)}`);
    } finally {
      await vite.close();
    }
  },
});

// The worker's own address is a string, which no policy with Trusted Types takes: bundlers find it only as such.
const UNPOLICED = { prepare() {}, context: { bypassCSP: true } };

export default [
  served('Vite dev server', 'page'),
  served('Vite dev server, worker', 'worker'),
  built('Vite build', 'page'),
  built('Vite build, worker', 'worker', UNPOLICED),
];
