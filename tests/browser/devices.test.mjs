// One key on two devices, each a browser of its own.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { openedPage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { Prompts } from './prompts.mjs';
import { openTab, scenario } from './visit.mjs';

const world = newWorld({ webRoot: openedPage() });

const SEED = Array.from({ length: 32 }, (_, index) => index + 1);

/** Has a tab, which has made a key of its own by now, keep this seed's instead. */
async function give(tab, seed) {
  await tab.page.evaluate(async (bytes) => {
    const { deleteKey, WebCryptoKey } = await import('./countersign/browser.js');
    await deleteKey({ name: 'demo' });
    await WebCryptoKey.fromSeed(Uint8Array.from(bytes), { name: 'demo' });
  }, seed);
  await tab.page.reload();
  await tab.connected();
}

scenario(world, 'the first signature wins, and the other device is told', async ({ tab, prompts, watch }) => {
  await give(tab, SEED);
  const publicKey = await tab.publicKey();
  const other = await world.newContext();
  const otherPrompts = new Prompts();
  await watch.attach(other);
  await otherPrompts.attach(other);
  const device = await openTab(other, world.server.url);
  await give(device, SEED);
  assert.equal(await device.publicKey(), publicKey);
  assert.equal(await world.server.connections(publicKey), 2);

  const { answer } = backendAsks(world.server, publicKey, 'whoever is first');
  await tab.wallet.sees('whoever is first');
  await device.wallet.sees('whoever is first');
  await device.approve();
  await device.wallet.sees('Signed and delivered.');
  await tab.wallet.sees('Answered on another device.');
  assert.equal(await tab.wallet.button('Approve').count(), 0);
  const { status, body } = await answer;
  assert.equal(status, 200);
  assert.ok(verifies(body, 'whoever is first'));
  assert.deepEqual([prompts.seen(), otherPrompts.seen()], [['new'], ['new']]);
});
