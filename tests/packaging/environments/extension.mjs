import { launchProfile } from '../../browser/harness.mjs';
import { folder } from '../folder.mjs';
import { PATIENCE_MS, signs } from '../signing.mjs';

/** Chromium takes no extension from its command line otherwise. */
export const flags = (path) => [
  `--load-extension=${path}`,
  `--disable-extensions-except=${path}`,
  '--disable-features=DisableLoadExtensionCommandLineSwitch',
];

export default [
  {
    name: 'Manifest V3 service worker',
    async test({ server, wallets }) {
      const path = await folder('extension', 'extension', { entry: './node_modules/countersign/dist/browser.js' });
      const context = await launchProfile(...flags(path));
      try {
        const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker', { timeout: PATIENCE_MS }));
        await worker.evaluate((url) => self.start(url), wallets);
        let count = 0;
        return await signs(server, () => worker.evaluate((index) => self.words[index], count++), /^Chrome on Linux$/);
      } finally {
        await context.close();
      }
    },
  },
];
