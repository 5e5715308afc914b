// One wallet in several tabs: one of them asks.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { until } from './until.mjs';
import { openSecondTab, scenario } from './visit.mjs';

const world = newWorld();

scenario(world, 'of two tabs one asks, and the other says what waits there', async ({ tab, context, prompts }) => {
  const publicKey = await tab.publicKey();
  const second = await openSecondTab(context, world.server.url);
  assert.equal(await second.publicKey(), publicKey);
  await second.wallet.sees('Nothing waits there at the moment.');
  assert.equal(await world.server.connections(publicKey), 1);

  const { answer } = backendAsks(world.server, publicKey, 'not here', { purpose: 'Tell the tabs' });
  await second.wallet.sees('local backend');
  await second.wallet.sees('Tell the tabs');
  await second.wallet.sees(/^waits there, /);
  assert.equal(await second.wallet.locator.getByText('not here').count(), 0);
  assert.equal(await second.wallet.button('Approve').count(), 0);
  await tab.approve();
  assert.equal((await answer).status, 200);
  await second.wallet.sees('Nothing waits there at the moment.');
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'a tab that is closed while it asks hands the prompt over', async ({ tab, context, prompts }) => {
  const publicKey = await tab.publicKey();
  const second = await openSecondTab(context, world.server.url);
  const { answer } = backendAsks(world.server, publicKey, 'hand over');
  await tab.wallet.sees('hand over');
  await second.wallet.sees(/^waits there, /);

  await tab.page.close();
  await second.connected();
  await second.wallet.sees('hand over');
  await second.wallet.sees('Shown before, not decided');
  await second.approve();
  await second.wallet.sees('Signed and delivered.');
  const { status, body } = await answer;
  assert.equal(status, 200);
  assert.ok(verifies(body, 'hand over'));
  assert.deepEqual(prompts.seen(), ['new', 'resumed']);
  assert.deepEqual(prompts.ids(), [body.request_id]);
});

scenario(world, 'the key is changed in all tabs at once', async ({ tab, context, prompts }) => {
  const before = await tab.publicKey();
  const second = await openSecondTab(context, world.server.url);
  const { answer } = backendAsks(world.server, before, 'under the old key');
  await second.wallet.sees(/^waits there, /);
  await second.wallet.button('New key').click();
  const { status, body } = await answer;
  assert.deepEqual([status, body.reject_code], [403, 'locked']);
  await until('both tabs have the same new key', async () => {
    const keys = [await tab.publicKey(), await second.publicKey()];
    return keys[0] === keys[1] && keys[0] !== before;
  });
  const after = await tab.publicKey();
  await world.server.untilConnections(after, 1);
  await world.server.untilConnections(before, 0);
  assert.deepEqual(prompts.seen(), ['new']);
});
