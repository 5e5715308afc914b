// A page that is reloaded, frozen or cut off while it asks: the human is asked once, and the backend gets its answer.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { scenario } from './visit.mjs';
import { Gate, Wire } from './wire.mjs';

const world = newWorld();
const gate = new Gate();
const prepare = (context) => gate.attach(context);
// What a browser writes when a connection breaks off, which is what some of these tests are about.
const tolerated = [/WebSocket connection to .* failed/, /net::ERR_INTERNET_DISCONNECTED/];

async function getsSignature({ answer }, text) {
  const { status, body } = await answer;
  assert.equal(status, 200);
  assert.ok(verifies(body, text));
  return body;
}

scenario(world, 'a reload with an open prompt shows it again, and one decision is enough', async ({ tab, prompts }) => {
  const wire = new Wire(tab.page);
  const backend = backendAsks(world.server, await tab.publicKey(), 'before and after');
  await tab.wallet.sees('before and after');
  await tab.page.reload();
  await tab.connected();
  await tab.wallet.sees('Shown before, not decided');
  await tab.wallet.sees('before and after');
  assert.equal(await tab.page.locator('#announcer').innerText(), '');
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  const { request_id } = await getsSignature(backend, 'before and after');
  assert.deepEqual(prompts.seen(), ['new', 'resumed']);
  assert.deepEqual(prompts.ids(), [request_id]);
  const [request] = wire.frames('sign_request').slice(-1);
  assert.equal(request.attempt, 2);
  assert.equal(wire.frames('sign_response').length, 1);
});

scenario(
  world,
  'a reload between the answer and its acknowledgement asks nobody again',
  async ({ tab, prompts }) => {
    gate.hold('sign_response');
    const backend = backendAsks(world.server, await tab.publicKey(), 'decided once');
    await tab.approve();
    await tab.wallet.sees('Answered. Waiting for the server to confirm.');
    await gate.stopped('sign_response');
    gate.release('sign_response');
    const wire = new Wire(tab.page);
    await tab.page.reload();
    await tab.connected();
    await getsSignature(backend, 'decided once');
    await wire.passed('response_ack');
    assert.equal(wire.frames('response_ack')[0].outcome, 'accepted');
    await tab.wallet.sees('An answer from before the reload');
    assert.equal(await tab.page.locator('#history-rows .row').count(), 1);
    await tab.wallet.sees('Nothing to sign');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { prepare },
);

scenario(
  world,
  'an answer that arrived but was not acknowledged is accepted again after a reload',
  async ({ tab, prompts }) => {
    gate.hold('response_ack');
    const backend = backendAsks(world.server, await tab.publicKey(), 'heard once');
    await tab.approve();
    await getsSignature(backend, 'heard once');
    await gate.stopped('response_ack');
    await tab.wallet.sees('Answered. Waiting for the server to confirm.');
    gate.release('response_ack');
    const wire = new Wire(tab.page);
    await tab.page.reload();
    await tab.connected();
    const [ack] = await wire.passed('response_ack');
    assert.equal(ack.outcome, 'accepted');
    await tab.wallet.sees('Nothing to sign');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { prepare },
);

scenario(
  world,
  'a connection that breaks and comes back leaves the one prompt as it is',
  async ({ tab, context, prompts }) => {
    const wire = new Wire(tab.page);
    const backend = backendAsks(world.server, await tab.publicKey(), 'through the tunnel');
    await tab.wallet.sees('through the tunnel');
    await context.setOffline(true);
    await gate.cut();
    await tab.wallet.sees('Reconnecting…');
    await tab.wallet.sees('through the tunnel');
    gate.mend();
    await context.setOffline(false);
    await tab.connected();
    const [repeated] = await wire.passed('sign_request');
    assert.equal(repeated.attempt, 2);
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await getsSignature(backend, 'through the tunnel');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { prepare, tolerated },
);

scenario(
  world,
  'an answer given while offline is sent when the connection is back',
  async ({ tab, context, prompts }) => {
    const backend = backendAsks(world.server, await tab.publicKey(), 'signed in the tunnel');
    await tab.wallet.sees('signed in the tunnel');
    await context.setOffline(true);
    await gate.cut();
    await tab.wallet.sees('Reconnecting…');
    await tab.approve();
    await tab.wallet.sees('Answered. Waiting for the server to confirm.');
    gate.mend();
    await context.setOffline(false);
    await getsSignature(backend, 'signed in the tunnel');
    await tab.wallet.sees('Signed and delivered.');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { prepare, tolerated },
);

scenario(
  world,
  'a late answer is said to be of no use',
  async ({ tab, prompts }) => {
    gate.hold('request_cancel');
    const backend = backendAsks(world.server, await tab.publicKey(), 'too late');
    await tab.wallet.sees('too late');
    backend.cancel();
    await gate.stopped('request_cancel');
    gate.release('request_cancel');
    await tab.approve();
    await tab.wallet.sees('Not used: the requester had stopped waiting.');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  { prepare },
);
