// Several nodes of one server: which is dialled, and what a wallet takes from one to the next.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { sendToSign, startServer } from '../../tests/foreign/server.mjs';
import { cleanups, code, connected, event, listen, state, walletOf, welcomed } from './bench.mjs';
import { fakeTabs } from './locks.mjs';
import { MemoryStore } from './memory-store.mjs';
import { Key, Wallet } from './package.mjs';
import { FakeServer, holds, introductionBytes } from './server.mjs';

/** Has wallets dial in the order of their list, and wait as long as they ever do. */
const inOrder = (t) => t.mock.method(Math, 'random', () => 0.999);

/** Has them dial the last of their list first, and wait for nothing. */
const lastFirst = (t) => t.mock.method(Math, 'random', () => 0);

/** So many servers that stand for the nodes of one, and a key. */
async function nodes(count = 2) {
  const servers = await Promise.all(Array.from({ length: count }, () => FakeServer.start()));
  for (const server of servers) cleanups.push(() => server.stop());
  return { servers, urls: servers.map(({ url }) => url), key: await Key.generate() };
}

/** A wallet that is connected to the first of two nodes. */
async function atFirst(t, options = {}) {
  inOrder(t);
  const { servers, urls, key } = await nodes();
  const [first, second] = servers;
  const wallet = walletOf(first, key, { url: urls, ...options });
  return { first, second, urls, key, ...(await welcomed(first, wallet)) };
}

const provesTo = (url, { challenge, introduction }, { publicKey }) =>
  holds(publicKey, introductionBytes({ challenge, publicKey, audience: url, origin: '' }), introduction.proof);

test('a prompt outlives the node it came from: another is dialled, and nobody is asked again', async (t) => {
  inOrder(t);
  const real = await startServer();
  cleanups.push(real.kill);
  const { servers, key } = await nodes(1);
  const [other] = servers;
  const { wallet, requests } = listen(walletOf(other, key, { url: [real.ws, other.url], store: new MemoryStore() }));
  await wallet.connect();
  const message = Buffer.from('Pay 25 EUR to Alice');
  const asked = event(wallet, 'request');
  const waiting = sendToSign(real.http, { public_key: key.publicKey, message: message.toString('base64') }).catch((error) => error);
  const request = await asked;
  request.displayed();

  const lost = state(wallet, 'reconnecting');
  await real.kill();
  assert.ok((await waiting) instanceof Error, 'who waited there has lost its connection too');
  code('connection_lost')((await lost).error);
  const peer = await other.peer();
  assert.ok(provesTo(other.url, await peer.welcome(), key));
  assert.deepEqual(await peer.next('request_status'), { type: 'request_status', request_id: request.id, state: 'displayed' });
  assert.equal(request.state, 'open');
  await peer.ask(message, { id: request.id, attempt: 2, requester: request.requester.name });
  assert.equal((await peer.next('request_status')).state, 'displayed');
  assert.deepEqual([requests, request.attempt], [[request], 2]);
  const approved = request.approve();
  assert.ok(holds(key.publicKey, message, (await peer.next('sign_response')).signature));
  peer.acknowledge(request.id, 'accepted');
  assert.equal((await approved).state, 'accepted');
});

test('after the last node comes the first', async (t) => {
  inOrder(t);
  const { servers, urls, key } = await nodes(3);
  const wallet = walletOf(servers[0], key, { url: urls });
  const connecting = wallet.connect();
  for (const server of [...servers, ...servers]) {
    const peer = await server.peer();
    assert.ok(provesTo(server.url, await peer.welcome(), key), server.url);
    await connecting;
    peer.drop();
  }
});

test('a node that cannot be reached is named, and another is dialled', async (t) => {
  inOrder(t);
  const { servers, urls, key } = await nodes();
  await servers[0].stop();
  const wallet = walletOf(servers[1], key, { url: urls });
  const lost = state(wallet, 'reconnecting');
  const connecting = wallet.connect();
  code('connection_lost', `${urls[0]} cannot be reached`)((await lost).error);
  await (await servers[1].peer()).welcome();
  await connecting;
});

test('after a goodbye another node is dialled', async (t) => {
  const { first, second, wallet, peer, key } = await atFirst(t);
  const lost = state(wallet, 'reconnecting');
  peer.send('goodbye', { reason: 'shutdown', reconnect_after_ms: 30 });
  peer.close(1012);
  assert.ok(((await lost).retryInMs ?? 0) >= 30);
  assert.ok(provesTo(second.url, await (await second.peer()).welcome(), key));
  assert.equal(first.waitingPeers, 0);
});

test('a node that refuses the wallet is left for another, and an error names the one that was dialled', async (t) => {
  const { first, second, urls, wallet, peer } = await atFirst(t);
  /** @param {import('./server.mjs').Peer} peer */
  const refuse = (peer) => {
    peer.send('error', { code: 'proof_invalid', message: 'the proof does not hold' });
    peer.close(1008);
  };
  peer.drop();
  for (const [node, url] of /** @type {const} */ ([
    [second, urls[1]],
    [first, urls[0]],
  ])) {
    const peer = await node.peer();
    await peer.introduce();
    const told = event(wallet, 'state', ({ error }) => error !== undefined);
    refuse(peer);
    const { state, error } = await told;
    assert.equal(state, node === second ? 'reconnecting' : 'closed', 'it is final once all have refused');
    code('proof_invalid', `--audience ${url}, `)(error);
  }
});

test('wallets spread over the nodes, and those of one node over the others', async () => {
  const urls = ['a', 'b', 'c'].map((name) => `wss://${name}.example.com/ws`);
  const key = await Key.generate();
  /** The two nodes that a wallet dials first. */
  const dialledFirst = () =>
    new Promise((resolve) => {
      /** @type {string[]} */
      const dialled = [];
      class Unreachable {
        onclose = (_) => {};
        /** @param {string} url */
        constructor(url) {
          if (dialled.push(url) === 2) resolve(dialled.join(' '));
          else queueMicrotask(() => this.onclose({ code: 1006, reason: '' }));
        }
        close() {}
      }
      const wallet = new Wallet({ key, url: urls, WebSocket: Unreachable, backoff: { initialMs: 0 } });
      cleanups.push(() => wallet.close());
      void wallet.connect().catch(() => {});
    });
  // One of the six orders is missing once in 10^14 runs.
  const orders = new Set(await Promise.all(Array.from({ length: 200 }, dialledFirst)));
  const pairs = urls.flatMap((one) => urls.filter((other) => other !== one).map((other) => `${one} ${other}`));
  assert.deepEqual([...orders].sort(), pairs.sort());
});

test('what is kept goes by the first in the list, whichever is dialled', async (t) => {
  const store = new MemoryStore();
  const before = await connected({ store });
  const id = await before.peer.ask('hello');
  void before.requests[0].approve();
  const answer = await before.peer.next('sign_response');
  before.wallet.close();

  lastFirst(t);
  const { servers } = await nodes(1);
  const wallet = walletOf(before.server, before.key, { url: [before.server.url, servers[0].url], store });
  const { peer, introduction, requests } = await welcomed(servers[0], wallet);
  assert.equal(introduction.device.id, before.introduction.device.id);
  assert.deepEqual(await peer.next('sign_response'), answer, 'what was not acknowledged is sent to another node');
  await peer.ask('hello', { id, attempt: 2, received: false });
  assert.deepEqual(await peer.next('sign_response'), answer);
  assert.deepEqual(requests, []);
  assert.deepEqual([...new Set([...store.rows.values()].map(({ audience }) => audience))], [before.server.url]);
});

test('tabs whose lists begin with the same node take turns, whatever follows and whichever is dialled', async (t) => {
  const shared = { store: new MemoryStore(), tabGroup: fakeTabs() };
  const { servers, urls, key } = await nodes();
  const [first, second] = servers;
  const other = listen(walletOf(first, key, shared));
  lastFirst(t);
  const { wallet, peer } = await welcomed(second, walletOf(second, key, { url: urls, ...shared }));
  await other.wallet.connect();
  assert.equal(other.wallet.state, 'standby');
  const id = await peer.ask('hello');
  wallet.close();
  const next = await first.peer();
  await next.welcome();
  await next.ask('hello', { id, attempt: 2 });
  assert.deepEqual([other.requests.length, other.requests[0].resumed], [1, true]);
});

test('a list of one is that one: what it refuses is final', async () => {
  const { servers, urls, key } = await nodes(1);
  const wallet = walletOf(servers[0], key, { url: urls });
  const connecting = wallet.connect();
  const peer = await servers[0].peer();
  await peer.introduce();
  peer.send('error', { code: 'key_refused', message: 'not this one' });
  peer.close(1008);
  await assert.rejects(connecting, code('key_refused'));
});

test('a wrong address in a list is named', async () => {
  const key = await Key.generate();
  const good = 'wss://a.example.com/ws';
  const long = `wss://b.example.com/${randomBytes(1_024).toString('hex')}`;
  /** @type {[string[], string | RegExp][]} */
  const cases = [
    [[good, 'ftp://b.example.com/ws'], "url[1]: A server's address starts with"],
    [[good, 'b.example.com'], 'url[1]: "b.example.com" is not an address'],
    [['ws://b.example.com/ws', good], 'url[0]: ws://b.example.com/ws is not encrypted'],
    [[good, 'wss://me:secret@b.example.com/ws'], /^url\[1\]: [^@]*$/],
    [[good, 'wss://b.example.com/ws', `https://A.example.com:443/ws?node=2`], 'url[2]: This address is listed twice'],
    [[good, long], long],
    [[], 'not 0'],
    [Array.from({ length: 17 }, (_, at) => `wss://${at}.example.com/ws`), 'not 17'],
    [['ftp://b.example.com/ws'], /^A server's address starts with/],
  ];
  for (const [url, text] of cases) assert.throws(() => new Wallet({ key, url }), code('invalid_url', text));
  new Wallet({ key, url: Array.from({ length: 16 }, (_, at) => new URL(`wss://${at}.example.com/ws`)) });
});
