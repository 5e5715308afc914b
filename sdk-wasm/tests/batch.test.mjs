import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { code, connected, event, untilPong } from './bench.mjs';
import { holds } from './server.mjs';

/** A wallet that has been asked for several signatures at once. */

async function asked(messages = ['one', 'two', 'three']) {
  const bench = await connected();
  const told = event(bench.wallet, 'batch');
  const batchId = randomUUID();
  const ids = await bench.peer.askBatch(messages, { id: batchId });
  return { ...bench, ids, batchId, batch: await told };
}

test('requests that come together are told as one', async () => {
  const { wallet, peer, key, requests, batch, batchId, ids } = await asked();
  assert.equal(batch.id, batchId);
  assert.deepEqual(
    batch.requests.map((request) => request.id),
    ids,
  );
  assert.deepEqual(
    batch.requests.map((request) => request.batch),
    ids.map((_, index) => ({ id: batchId, index, size: 3 })),
  );
  assert.equal(batch.requester.name, 'Example Shop');
  assert.equal(batch.purpose, 'Order 1042');
  assert.deepEqual([requests, wallet.requests], [[], batch.requests]);
  batch.displayed();
  for (const id of ids) assert.deepEqual(await peer.next('request_status'), { type: 'request_status', request_id: id, state: 'displayed' });

  let changes = 0;
  batch.on('change', (changed) => changed === batch && changes++);
  const outcomes = batch.approve();
  for (const [index, message] of ['one', 'two', 'three'].entries()) {
    const { request_id: id, signature } = await peer.next('sign_response');
    assert.equal(id, ids[index]);
    assert.ok(holds(key.publicKey, Buffer.from(message), signature));
    peer.acknowledge(id, index === 1 ? 'late' : 'accepted');
  }
  const [first, second, third] = await outcomes;
  assert.deepEqual([first.state, second.state, third.state], ['accepted', 'late', 'accepted']);
  code('late')(second.error);
  assert.equal(changes, 6);
  assert.equal(batch.signal.aborted, false);
});

test('one is declined, one is gone, the rest is approved', async () => {
  const { peer, batch, ids } = await asked();
  const declined = batch.requests[0].reject('not this one');
  await peer.next('sign_reject');
  peer.send('request_cancel', { request_id: ids[1], cause: 'cancelled' });
  await untilPong(peer);
  const outcomes = batch.approve();
  const { request_id: id } = await peer.next('sign_response');
  assert.equal(id, ids[2]);
  peer.acknowledge(ids[0], 'accepted');
  peer.acknowledge(id, 'accepted');
  await declined;
  const [first, second, third] = await outcomes;
  assert.deepEqual([first.state, second.state, third.state], ['declined', 'cancelled', 'accepted']);
  code('cancelled')(second.error);
});

test('all are declined at once', async () => {
  const { peer, batch, ids } = await asked();
  const outcomes = batch.reject({ reason: 'no', scope: 'device' });
  for (const id of ids) {
    const { request_id: rejected, reason, scope } = await peer.next('sign_reject');
    assert.deepEqual({ rejected, reason, scope }, { rejected: id, reason: 'no', scope: 'device' });
    peer.acknowledge(id, 'accepted');
  }
  assert.ok((await outcomes).every(({ state }) => state === 'declined'));
});

test('the signal aborts when nothing is left to decide and nothing was decided', async () => {
  const { peer, batch, ids } = await asked(['one', 'two']);
  peer.send('request_cancel', { request_id: ids[0], cause: 'cancelled' });
  await untilPong(peer);
  assert.equal(batch.signal.aborted, false);
  peer.send('request_cancel', { request_id: ids[1], cause: 'answered_elsewhere' });
  await untilPong(peer);
  code('answered_elsewhere')(batch.signal.reason);

  const other = await asked(['one', 'two']);
  void other.batch.requests[0].approve().catch(() => {});
  other.peer.send('request_cancel', { request_id: other.ids[1], cause: 'cancelled' });
  await untilPong(other.peer);
  assert.equal(other.batch.signal.aborted, false, 'one was decided');
});

test('where nobody listens to batches, their requests are told one by one', async () => {
  const { peer, requests } = await connected();
  const ids = await peer.askBatch(['one', 'two']);
  assert.deepEqual(
    requests.map((request) => [request.id, request.batch?.size]),
    ids.map((id) => [id, 2]),
  );
});

test('purposes that differ are none of the batch', async () => {
  const { wallet, peer } = await connected();
  const told = event(wallet, 'batch');
  await peer.askBatch(['one', 'two'], { purposes: ['this', 'that'] });
  assert.equal((await told).purpose, undefined);
});

test('what was left alone of a batch is an ordinary request', async () => {
  const { wallet, peer, requests } = await connected();
  wallet.on('batch', () => assert.fail());
  const [id] = await peer.askBatch(['one']);
  assert.deepEqual([requests[0].id, requests[0].batch?.size], [id, 1]);
});
