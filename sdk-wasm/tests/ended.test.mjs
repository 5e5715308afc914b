import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connected, event, state, untilPong, walletOf } from './bench.mjs';
import { MemoryStore } from './memory-store.mjs';

/** Another life of the same wallet, which tells how requests end. */
async function reloaded({ server, key, wallet }, store) {
  wallet.close();
  const after = walletOf(server, key, { store });
  const requests = [];
  const ends = [];
  after.on('request', (request) => requests.push(request));
  after.on('ended', (end) => ends.push(end));
  const connecting = after.connect();
  const peer = await server.peer();
  await peer.welcome();
  await connecting;
  return { wallet: after, peer, requests, ends };
}

async function answeredBefore(decide = (request) => request.approve()) {
  const store = new MemoryStore();
  const before = await connected({ store });
  const id = await before.peer.ask('hello');
  void decide(before.requests[0]).catch(() => {});
  const answer = await before.peer.frames.next();
  return { ...(await reloaded(before, store)), id, answer };
}

for (const [outcome, expectedState, expectedCode] of [
  ['accepted', 'accepted', undefined],
  ['late', 'late', 'late'],
  ['unknown', 'failed', 'unconfirmed'],
  ['bad_signature', 'failed', 'bad_signature'],
]) {
  test(`an answer sent again after a reload and acknowledged as ${outcome} is told to have ended, once`, async () => {
    const { peer, requests, ends, id, answer } = await answeredBefore();
    assert.deepEqual(await peer.next('sign_response'), answer);
    assert.deepEqual(ends, []);
    peer.acknowledge(id, outcome);
    peer.acknowledge(id, outcome);
    assert.deepEqual(await untilPong(peer), []);
    assert.deepEqual(
      ends.map((/** @type {import('countersign').EndedEvent} */ { requestId, state, error }) => [requestId, state, error?.code]),
      [[id, expectedState, expectedCode]],
    );
    assert.deepEqual(requests, [], 'and nobody was asked');
  });
}

test('a restored answer that nobody acknowledges is unconfirmed when the wallet closes, and told no second time', async () => {
  const { wallet, peer, ends, id } = await answeredBefore();
  await peer.next('sign_response');
  wallet.close();
  assert.deepEqual(
    ends.map((/** @type {import('countersign').EndedEvent} */ { requestId, state, error }) => [requestId, state, error?.code]),
    [[id, 'failed', 'unconfirmed']],
  );
});

test('a restored refusal is told as declined', async () => {
  const { peer, ends, id } = await answeredBefore((request) => request.reject());
  await peer.next('sign_reject');
  peer.acknowledge(id, 'accepted');
  await untilPong(peer);
  assert.deepEqual(ends, [{ requestId: id, state: 'declined' }]);
});

test('every end of a request is told, after the request itself knows', async () => {
  const { wallet, peer, requests } = await connected();
  const ends = [];
  wallet.on('ended', ({ requestId, state, error }) => {
    const request = requests.find(({ id }) => id === requestId);
    assert.ok(request);
    assert.equal(request.state, state);
    assert.ok(!wallet.requests.includes(request));
    ends.push([requestId, state, error?.code]);
  });
  const [approved, declined, cancelled, expired, open] = [
    await peer.ask('one'),
    await peer.ask('two'),
    await peer.ask('three'),
    await peer.ask('four', { expiresInMs: 30 }),
    await peer.ask('five'),
  ];
  const timeout = requests[3].signal.aborted ? undefined : event(wallet, 'ended', ({ requestId }) => requestId === expired);
  void requests[0].approve();
  void requests[1].reject();
  peer.acknowledge(approved, 'accepted');
  peer.acknowledge(declined, 'accepted');
  peer.send('request_cancel', { request_id: cancelled, cause: 'cancelled' });
  await timeout;
  await untilPong(peer);
  const closed = state(wallet, 'closed');
  wallet.close();
  await closed;
  const byId = new Map(ends.map(([id, ...end]) => [id, end]));
  assert.equal(ends.length, 5);
  assert.deepEqual(byId.get(approved), ['accepted', undefined]);
  assert.deepEqual(byId.get(declined), ['declined', undefined]);
  assert.deepEqual(byId.get(cancelled), ['cancelled', 'cancelled']);
  assert.deepEqual(byId.get(expired), ['expired', 'expired']);
  assert.deepEqual(byId.get(open), ['failed', 'closed']);
});
