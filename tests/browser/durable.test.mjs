// Requests that are written down: they outlive the page, the wallet's tab and the server.

import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { PATIENCE_MS } from './until.mjs';
import { scenario } from './visit.mjs';
import { Wire } from './wire.mjs';

const world = newWorld({ store: true });
// What a browser writes when a server goes away.
const tolerated = [/WebSocket connection to .* failed/, /Failed to load resource: net::ERR_/];

const steps = (tab) => tab.backend.locator.locator('.phase[data-reached="true"] .phase-name').allInnerTexts();

scenario(
  world,
  'an answer that is lost is asked for again, and nobody is asked twice',
  async ({ tab, context, prompts }) => {
    const keys = [];
    // The server takes the request, and the connection breaks before its answer is there.
    await context.route('**/v1/send_to_sign', async (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length === 1) await route.fetch();
      if (keys.length <= 2) await route.abort();
      else await route.continue();
    });
    await tab.ask({ durable: true, message: 'once only' });
    await tab.backend.sees('whether the server has written the request down is not known');
    await tab.backend.sees('Shown to the person');
    await tab.approve();
    await tab.backend.sees('Signature verified');
    assert.deepEqual(prompts.seen(), ['new']);
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
  },
  { tolerated: [/net::ERR_FAILED/] },
);

scenario(
  world,
  'a server that is killed while its request is asked about loses nothing',
  async ({ tab, prompts }) => {
    await tab.ask({ message: 'on disk', durable: true });
    await tab.wallet.sees('on disk');
    await tab.backend.sees('Shown to the person');

    await world.server.stop('SIGKILL');
    await tab.backend.sees('The server is away');
    await tab.wallet.sees('Reconnecting…');
    await world.restart();
    await tab.connected();
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    const answer = await tab.answer();
    assert.equal(answer.attempt, 2);
    assert.ok(verifies(answer, 'on disk'));
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { tolerated },
);

scenario(
  world,
  'an answer given while the server is gone is taken when it is back',
  async ({ tab, prompts }) => {
    await tab.ask({ message: 'in between', durable: true });
    await tab.wallet.sees('in between');
    await world.server.stop('SIGKILL');
    await tab.wallet.sees('Reconnecting…');
    await tab.approve();
    await tab.wallet.sees('Answered. Waiting for the server to confirm.');
    await world.restart();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { tolerated },
);

scenario(
  world,
  'server killed and page reloaded at once: still one decision',
  async ({ tab, prompts }) => {
    await tab.ask({ message: 'everything fails', durable: true });
    await tab.wallet.sees('everything fails');
    await tab.backend.sees('Shown to the person');
    await world.server.stop('SIGKILL');
    await world.restart();
    await tab.page.reload();
    await tab.connected();
    await tab.wallet.sees('Shown before, not decided');
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    assert.deepEqual(prompts.seen(), ['new', 'resumed']);
    assert.equal(prompts.ids().length, 1);
  },
  { tolerated },
);

scenario(world, 'a request waits for a wallet that is not there, and is asked when it comes', async ({ tab, prompts }) => {
  const public_key = await tab.publicKey();
  await tab.page.goto('about:blank');
  await world.server.untilConnections(public_key, 0);
  const message = Buffer.from('come back').toString('base64');
  const { status, body } = await world.server.sendToSign({ public_key, message, queue: true }, { headers: { prefer: 'respond-async' } });
  assert.deepEqual([status, body.state], [202, 'queued']);
  assert.deepEqual(prompts.seen(), []);

  await tab.page.goto(world.server.url);
  await tab.connected();
  await tab.wallet.sees('come back');
  await tab.approve();
  const ended = await world.server.request(body.request_id, { waitSeconds: PATIENCE_MS / 1_000 });
  assert.equal(ended.state, 'signed');
  assert.ok(verifies(ended, 'come back'));
  assert.deepEqual(prompts.seen(body.request_id), ['new']);
});

scenario(world, 'each phase is shown with its time, and the receipt verifies', async ({ tab, prompts }) => {
  await tab.ask({ message: 'phase by phase', durable: true });
  await tab.backend.sees('Shown to the person');
  assert.deepEqual(await steps(tab), ['Asked', 'Sent', 'Received', 'Shown']);
  await tab.approve();
  await tab.backend.sees('Signature verified');
  assert.deepEqual(await steps(tab), ['Asked', 'Sent', 'Received', 'Shown', 'Signed']);

  const [download] = await Promise.all([
    tab.page.waitForEvent('download'),
    tab.backend.locator.getByRole('link', { name: /^Receipt/ }).click(),
  ]);
  const [head, payload, signature] = (await readFile(await download.path(), 'utf8')).split('.');
  const {
    keys: [jwk],
  } = await (await fetch(`${world.server.url}/.well-known/jwks.json`)).json();
  const key = createPublicKey({ format: 'jwk', key: jwk });
  assert.ok(verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url')));
  const { request_id } = await tab.answer();
  assert.ok(Buffer.from(payload, 'base64url').toString().includes(request_id));
  assert.deepEqual(prompts.seen(request_id), ['new']);
});

scenario(world, 'a reload goes on following what was written down', async ({ tab, prompts }) => {
  await tab.ask({ message: 'both halves', durable: true });
  await tab.wallet.sees('both halves');
  await tab.backend.sees('Shown to the person');
  await tab.page.reload();
  await tab.connected();
  await tab.wallet.sees('Shown before, not decided');
  await tab.backend.sees('Shown to the person');
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.page.reload();
  await tab.connected();
  await tab.backend.sees('What the API answers is shown here');
  assert.deepEqual(prompts.seen(), ['new', 'resumed']);
});

scenario(world, 'what was written down is withdrawn by its button', async ({ tab, prompts }) => {
  await tab.ask({ message: 'never mind', durable: true });
  await tab.wallet.sees('never mind');
  await tab.backend.button('Cancel').click();
  await tab.wallet.sees('Withdrawn by the requester.');
  await tab.backend.sees('You withdrew it. Nothing was signed.');
  assert.equal((await steps(tab)).at(-1), 'Cancelled');
  assert.equal(await tab.wallet.button('Approve').count(), 0);
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'two messages that are written down are followed side by side', async ({ tab, prompts }) => {
  const wire = new Wire(tab.page);
  await tab.ask({ several: true, durable: true });
  await tab.wallet.sees('asks you to sign 2 messages');
  await tab.page.reload();
  await tab.connected();
  await tab.wallet.sees('Shown before, not decided');
  await tab.press('Approve all');
  await tab.wallet.sees('All 2: Signed and delivered.');
  await tab.backend.sees('All 2 signatures verified');
  assert.equal(await tab.backend.locator.getByRole('link', { name: /^Receipt/ }).count(), 2);
  assert.equal(wire.frames('sign_response').length, 2);
  assert.deepEqual(prompts.seen(), ['new', 'resumed']);
  assert.equal(prompts.ids().length, 2);
});

scenario(
  world,
  'what is replaced is asked in the same place, and no click meant for the old text approves the new one',
  async ({ tab, prompts }) => {
    const { server } = world;
    const public_key = await tab.publicKey();
    const ask = async (text, more = {}, headers = {}) =>
      server.sendToSign({ public_key, message: btoa(text), queue: true, ...more }, { headers });
    const later = { prefer: 'respond-async' };
    const { body: before } = await ask('pay 25', {}, later);
    await tab.wallet.sees('pay 25');
    const { body: behind } = await ask('another', {}, later);
    await tab.wallet.sees('another');
    const cards = () =>
      tab.wallet.locator.locator('#open-requests .request').evaluateAll((all) => all.map(({ dataset }) => dataset.requestId));
    assert.deepEqual(await cards(), [before.request_id, behind.request_id]);

    // Somebody is about to approve the old one: each button where it stood is counted as it is pressed.
    const approve = tab.wallet.locator.locator('#open-requests .decide > [data-part=approve]').first();
    await tab.page.locator('.decide > [data-part=approve]:not([aria-disabled])').first().waitFor();
    await approve.focus();
    await tab.page.evaluate(() => {
      new MutationObserver((changes) => {
        for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes]))
          if (node instanceof Element) node.querySelector('[data-part=approve]')?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      }).observe(/** @type {Node} */ (document.getElementById('open-requests')), { childList: true });
    });
    const { status, body: instead } = await ask('pay 20', { replaces: before.request_id }, later);
    assert.equal(status, 202);
    await tab.wallet.sees('In place of an earlier one, read it anew');
    assert.deepEqual(await cards(), [instead.request_id, behind.request_id], 'it stands where the old one stood');
    assert.equal(await tab.page.locator(`[data-request-id="${instead.request_id}"]`).getAttribute('data-state'), 'open');
    assert.equal(await tab.page.evaluate(() => document.activeElement?.id), 'requests', 'no key presses a button that has just come');
    await tab.wallet.sees('Replaced by the requester.');

    const again = await ask('pay 15', { replaces: before.request_id }, later);
    assert.deepEqual([again.status, again.body.code, again.body.replaced.state], [409, 'replaced_request_ended', 'cancelled']);
    assert.equal((await server.request(before.request_id)).state, 'cancelled');

    const place = tab.wallet.locator.getByRole('listitem').filter({ hasText: 'pay 20' });
    await tab.press('Approve', { button: (name) => place.getByRole('button', { name, exact: true }) });
    await tab.wallet.sees('Signed and delivered.');
    assert.ok(verifies(await server.request(instead.request_id), 'pay 20'));
    assert.deepEqual(prompts.seen(), ['new', 'new', 'new']);
    await fetch(`${server.url}/v1/requests/${behind.request_id}`, { method: 'DELETE' });
  },
);
