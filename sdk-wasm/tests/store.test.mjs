import assert from 'node:assert/strict';
import { test } from 'node:test';
import { became, code, connected, setUp, state, untilPong, walletOf, welcomed } from './bench.mjs';
import { gate, MemoryStore } from './memory-store.mjs';
import { FakeServer, holds } from './server.mjs';

/** Another life of the same wallet: a reload of its page. Closing writes nothing, so it is a crash as far as the store can tell. */
async function reloaded({ server, key, wallet }, options) {
  wallet.close();
  return { server, key, ...(await welcomed(server, walletOf(server, key, options))) };
}

test('a reload with an open prompt asks again, and says that it does', async () => {
  const store = new MemoryStore();
  const before = await connected({ store });
  const id = await before.peer.ask('hello');
  before.requests[0].displayed();
  assert.equal(before.requests[0].resumed, false);
  await before.peer.next('request_status');

  const after = await reloaded(before, { store });
  assert.equal(after.introduction.device.id, before.introduction.device.id);
  assert.deepEqual(await untilPong(after.peer), []);
  await after.peer.ask('hello', { id, attempt: 2 });
  const [request] = after.requests;
  assert.equal(request.resumed, true);
  const approved = request.approve();
  const response = await after.peer.next('sign_response');
  assert.ok(holds(after.key.publicKey, Buffer.from('hello'), response.signature));
  after.peer.acknowledge(id, 'accepted');
  await approved;
});

test('a reload after approving and before the acknowledgement sends the signature again and asks nobody', async () => {
  const store = new MemoryStore();
  const before = await connected({ store });
  const id = await before.peer.ask('hello');
  const approved = became(before.requests[0].approve(), code('unconfirmed'));
  const response = await before.peer.next('sign_response');

  const after = await reloaded(before, { store });
  await approved;
  assert.deepEqual(await after.peer.next('sign_response'), response);
  await after.peer.ask('hello', { id, attempt: 2, received: false });
  assert.deepEqual(await after.peer.next('sign_response'), response);
  const message = Buffer.from('hello').toString('base64');
  assert.ok(store.requests[0].record.includes(message));
  after.peer.acknowledge(id, 'accepted');
  await untilPong(after.peer);
  assert.ok(!store.requests[0].record.includes(message), 'an acknowledged message is forgotten');

  const third = await reloaded(after, { store });
  assert.deepEqual(await untilPong(third.peer), []);
  await third.peer.ask('hello', { id, attempt: 3, received: false });
  assert.deepEqual(await third.peer.next('sign_response'), response);
  assert.deepEqual([...after.requests, ...third.requests], []);
});

test('an answer leaves only once it is stored', async () => {
  const store = new MemoryStore();
  const { peer, requests } = await connected({ store });
  await peer.ask('hello');
  const { open, opened } = gate();
  store.before = (_what, { durable }) => (durable ? opened : Promise.resolve());
  void requests[0].approve().catch(() => {});
  assert.equal(requests[0].state, 'answered');
  assert.deepEqual(await untilPong(peer), []);
  open();
  await peer.next('sign_response');
  const [{ durable, expiresAt }] = store.requests;
  assert.ok(durable && Math.abs(expiresAt - requests[0].expiresAt) < 1_000);
});

test('a store that fails is told and stops nothing', async () => {
  const store = new MemoryStore();
  const { peer, requests, errors } = await connected({ store });
  store.before = async () => {
    throw new DOMException('no room', 'QuotaExceededError');
  };
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  await peer.next('sign_response');
  peer.acknowledge(id, 'accepted');
  await approved;
  assert.deepEqual([...new Set(errors.map((error) => error.code))], ['storage_failed']);
  assert.match(errors[0].message, /no room/);
});

test('a store that throws, or is no store, is told once and stops nothing', async () => {
  class Broken extends MemoryStore {
    /** @returns {Promise<never>} */
    load() {
      throw new Error('denied');
    }
  }
  class Strange extends MemoryStore {
    // @ts-expect-error: no store answers so
    async load() {
      return { deviceId: 7, requests: 'none' };
    }
  }
  for (const store of [new Broken(), new Strange()]) {
    // @ts-expect-error: one of them is no store
    const { peer, requests, errors } = await connected({ store });
    const id = await peer.ask('hello');
    const approved = requests[0].approve();
    await peer.next('sign_response');
    peer.acknowledge(id, 'accepted');
    await approved;
    assert.deepEqual(
      errors.map((error) => error.code),
      ['storage_unavailable'],
    );
    assert.deepEqual(store.requests, []);
  }
});

test('records that cannot be read are deleted', async () => {
  const store = new MemoryStore();
  const { server, key, wallet } = await setUp({ store });
  const identity = { publicKey: key.publicKey, audience: server.url };
  for (const [id, record] of [
    ['a', ''],
    ['b', '{}'],
    ['c', '{"request_id":"x"}'],
  ]) {
    await store.put(identity, { id, expiresAt: Date.now() + 60_000, durable: true, record });
  }
  const { peer, errors } = await welcomed(server, wallet);
  assert.deepEqual(await untilPong(peer), []);
  assert.deepEqual([store.requests, errors], [[], []]);
});

test('what is kept for one server is not told another', async () => {
  const store = new MemoryStore();
  const before = await connected({ store });
  await before.peer.ask('hello');
  void before.requests[0].approve().catch(() => {});
  await before.peer.next('sign_response');
  const other = await FakeServer.start();
  const { peer } = await reloaded({ ...before, server: other }, { store });
  assert.deepEqual(await untilPong(peer), []);
  await other.stop();
});

test('what is past its time, as by a clock that was set ahead, is not sent, and nobody is asked again', async () => {
  const store = new MemoryStore();
  const before = await connected({ store });
  const id = await before.peer.ask('hello');
  void before.requests[0].approve();
  const response = await before.peer.next('sign_response');
  before.wallet.close();
  const [row] = store.rows.values();
  row.request = { ...row.request, expiresAt: Date.now() - 365 * 24 * 3_600_000 };
  const { peer, requests } = await reloaded(before, { store });
  assert.deepEqual(await untilPong(peer), []);
  assert.deepEqual(
    store.requests.map(({ durable }) => durable),
    [false],
    'the message is no longer kept',
  );
  await peer.ask('hello', { id, attempt: 2, received: false });
  assert.deepEqual(await peer.next('sign_response'), response);
  assert.deepEqual(requests, []);
});

test('an answer sent again that nobody waits for is late, and one that is forgotten is unconfirmed', async () => {
  for (const outcome of ['late', 'unknown']) {
    const store = new MemoryStore();
    const before = await connected({ store });
    const id = await before.peer.ask('hello');
    const approved = before.requests[0].approve();
    await before.peer.next('sign_response');
    before.peer.drop();
    const peer = await before.server.peer();
    await peer.welcome();
    await peer.next('sign_response');
    peer.acknowledge(id, outcome);
    await became(approved, code(outcome === 'late' ? 'late' : 'unconfirmed'));
  }
});

test('a device of its own is not that of the store, and without a store nothing is kept', async () => {
  const store = new MemoryStore();
  store.deviceId = 'stored';
  const { introduction } = await connected({ store, device: { id: 'mine', label: 'Bench' } });
  assert.equal(introduction.device.id, 'mine');
  const { wallet, peer } = await connected({ store: false });
  await peer.ask('hello');
  const closed = state(wallet, 'closed');
  wallet.close();
  await closed;
});

test('a wallet that is closed and connected again goes on where it was', async () => {
  const store = new MemoryStore();
  const { server, wallet, peer, requests } = await connected({ store });
  const first = await peer.ask('hello');
  const second = await peer.ask('hello again');
  void requests[1].approve().catch(() => {});
  const response = await peer.next('sign_response');
  wallet.close();
  const connecting = wallet.connect();
  const again = await server.peer();
  await again.welcome();
  await connecting;
  assert.deepEqual(await again.next('sign_response'), response);
  again.acknowledge(second, 'accepted');
  await again.ask('hello', { id: first, attempt: 2 });
  assert.deepEqual(
    requests.map((request) => [request.id, request.resumed]),
    [
      [first, false],
      [second, false],
      [first, true],
    ],
  );
});
