// A browser without IndexedDB, as some are in private windows.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

const prepare = (context) =>
  context.addInitScript(() => {
    window.__opened = 0;
    IDBFactory.prototype.open = () => {
      window.__opened += 1;
      throw new DOMException('not in this window', 'SecurityError');
    };
  });

scenario(
  world,
  'without IndexedDB the wallet works, and says once that nothing is kept',
  async ({ tab, prompts }) => {
    await tab.wallet.sees(/^This browser does not keep what was decided/);
    await tab.wallet.sees('In this page’s memory only');
    await tab.page.evaluate(() => {
      window.__told = 0;
      const observer = new MutationObserver(() => {
        window.__told += 1;
      });
      for (const notice of document.querySelectorAll('#memory-problem')) observer.observe(notice, { childList: true });
    });
    await tab.ask();
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    assert.deepEqual(prompts.seen(), ['new']);
    assert.deepEqual(
      await tab.page.evaluate(() => [window.__opened, window.__told]),
      [4, 0],
      'tried for the key, the decisions, the rules, and the rules again at the request',
    );
  },
  { prepare },
);
