// A page that the system puts to sleep. Chromium freezes no page that Playwright keeps in focus (Page.setWebLifecycleState has no
// effect), so it is stopped as a debugger stops it: no script runs, no timer fires, and what comes on the socket waits.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

async function freezer({ page }) {
  const session = await page.context().newCDPSession(page);
  await session.send('Debugger.enable');
  return {
    async freeze() {
      const paused = new Promise((resolve) => {
        session.once('Debugger.paused', resolve);
      });
      // Resolves when the page is awake again.
      session.send('Runtime.evaluate', { expression: 'debugger' }).catch(() => {});
      await paused;
    },
    wake: () => session.send('Debugger.resume'),
  };
}

scenario(world, 'a prompt is still there, once, when the page wakes', async ({ tab, prompts }) => {
  const { freeze, wake } = await freezer(tab);
  const backend = backendAsks(world.server, await tab.publicKey(), 'sleep on it');
  await tab.wallet.sees('sleep on it');
  await freeze();
  await wake();
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  const { status, body } = await backend.answer;
  assert.equal(status, 200);
  assert.ok(verifies(body, 'sleep on it'));
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'a request to a page that sleeps on ends fast, and is over when it wakes', async ({ tab, prompts }) => {
  const { freeze, wake } = await freezer(tab);
  const publicKey = await tab.publicKey();
  await freeze();
  const { status, body } = await backendAsks(world.server, publicKey, 'anybody there?', { delivery_timeout_ms: 1_000 }).answer;
  assert.equal(status, 504);
  assert.equal(body.code, 'delivery_timeout');
  await wake();
  // It came and was called off in one moment: whether its card was drawn in between is up to the browser.
  await tab.wallet.sees('Expired. Nobody answered in time.');
  assert.equal(await tab.wallet.button('Approve').count(), 0);
  const shown = prompts.seen();
  assert.ok(shown.length <= 1 && shown.every((kind) => kind === 'new'), `prompts: ${shown}`);
});

scenario(world, 'a request that a page slept through in time is shown once it wakes', async ({ tab, prompts }) => {
  const { freeze, wake } = await freezer(tab);
  const publicKey = await tab.publicKey();
  await freeze();
  const backend = backendAsks(world.server, publicKey, 'good morning');
  await world.server.untilPending(1);
  assert.deepEqual(prompts.seen(), []);
  await wake();
  await tab.wallet.sees('good morning');
  await tab.approve();
  assert.equal((await backend.answer).status, 200);
  assert.deepEqual(prompts.seen(), ['new']);
});
