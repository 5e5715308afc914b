// The package in a page that is no demo: what it keeps, locks and hears.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { barePage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { inContext } from './in-context.mjs';
import { until } from './until.mjs';

const MODULE = `
  import { Key, Wallet } from './countersign/browser.js';
  const log = { requests: [], errors: [], states: [], elsewhere: [] };
  window.open_wallet = async (seed, options = {}) => {
    const key = seed ? await Key.fromSeed(Uint8Array.from(seed)) : await Key.generate();
    const wallet = new Wallet({ key, ...options });
    wallet.on('request', (request) => { log.requests.push(request); request.displayed(); });
    wallet.on('error', ({ code }) => log.errors.push(code));
    wallet.on('state', ({ state }) => log.states.push(state));
    wallet.on('elsewhere', (list) => log.elsewhere.push(list));
    window.wallet = wallet;
    window.log = log;
    await wallet.connect();
    return wallet.publicKey;
  };
`;

const world = newWorld({ webRoot: barePage({ 'main.js': MODULE }) });
const SEED = Array.from({ length: 32 }, (_, index) => index + 1);

const inPages = (name, body) => inContext(world, name, ({ context }) => body({ context, open: () => openPage(context) }));

async function openPage(context) {
  const page = await context.newPage();
  await page.goto(world.server.url);
  await page.waitForFunction(() => window.open_wallet);
  return page;
}

const connect = (page, options) => page.evaluate(([seed, more]) => window.open_wallet(seed, more), [SEED, options]);
const asked = (page, count = 1) => page.waitForFunction((n) => window.log.requests.length >= n, count);

/** All rows of one of the package's object stores. */
const rows = (page, store) =>
  page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('countersign');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const all = opening.result.transaction(name).objectStore(name).getAll();
          all.onsuccess = () => {
            opening.result.close();
            resolve(all.result);
          };
        };
      }),
    store,
  );

inPages('what is kept is what was shown and answered, and never the key', async ({ open }) => {
  const page = await open();
  const publicKey = await connect(page);
  const audience = `${world.server.url.replace('http', 'ws')}/ws`;
  const text = 'a message long enough to be found';
  const { answer } = backendAsks(world.server, publicKey, text);
  await asked(page);
  const [shown] = await until('the request is kept', async () => {
    const kept = await rows(page, 'requests');
    return kept.length === 1 && kept;
  });
  const base64 = Buffer.from(text).toString('base64');
  assert.deepEqual([shown.publicKey, shown.audience, shown.durable], [publicKey, audience, false]);
  assert.ok(!JSON.stringify(shown).includes(base64), 'the message is kept before it was signed');

  await page.evaluate(() => window.log.requests[0].approve());
  const { status, body } = await answer;
  assert.equal(status, 200);
  const [decided] = await until('the decision is acknowledged in the store', async () => {
    const kept = await rows(page, 'requests');
    return kept[0]?.id === body.request_id && kept[0].record !== shown.record && !kept[0].durable && kept;
  });
  assert.ok(decided.expiresAt > Date.now());
  const everything = JSON.stringify([await rows(page, 'requests'), await rows(page, 'devices')]);
  assert.ok(!everything.includes(base64), 'the message is kept after its time');
  assert.ok(!everything.includes(Buffer.from(SEED).toString('base64')), 'the key is kept');
  const [device] = await rows(page, 'devices');
  assert.deepEqual([device.publicKey, device.audience], [publicKey, audience]);
  await page.reload();
  await page.waitForFunction(() => window.open_wallet);
  await connect(page);
  assert.equal((await rows(page, 'devices'))[0].id, device.id);
  assert.deepEqual(await page.evaluate(() => window.log.errors), []);
});

inPages('the lock names the server and the key, and is given back', async ({ open }) => {
  const page = await open();
  const publicKey = await connect(page);
  const locks = () => page.evaluate(async () => ((await navigator.locks.query()).held ?? []).map(({ name }) => name));
  assert.deepEqual(await locks(), [`countersign:${world.server.url.replace('http', 'ws')}/ws:${publicKey}`]);
  await page.evaluate(() => window.wallet.close());
  await until('the lock is free', async () => (await locks()).length === 0);
});

inPages('messages of another shape between tabs change nothing', async ({ open }) => {
  const leading = await open();
  const publicKey = await connect(leading);
  const second = await open();
  await connect(second);
  assert.equal(await second.evaluate(() => window.wallet.state), 'standby');
  const { answer } = backendAsks(world.server, publicKey, 'the real one', { purpose: 'Real' });
  await second.waitForFunction(() => window.wallet.elsewhere.length === 1);

  const third = await open();
  const name = `countersign:${world.server.url.replace('http', 'ws')}/ws:${publicKey}`;
  await third.evaluate((channelName) => {
    const channel = new BroadcastChannel(channelName);
    const real = { id: 'x', requester: { name: 'Mallory' }, purpose: 'p', expiresAt: 1, state: 'open' };
    const hostile = [
      null,
      7,
      'open',
      [],
      {},
      { open: null },
      { open: 'x' },
      { open: {} },
      { open: [null] },
      { open: [{}] },
      { open: [{ ...real, id: 7 }] },
      { open: [{ ...real, id: 'x'.repeat(37) }] },
      { open: [{ ...real, requester: null }] },
      { open: [{ ...real, requester: { name: '' } }] },
      { open: [{ ...real, requester: { name: 'M'.repeat(65) } }] },
      { open: [{ ...real, purpose: {} }] },
      { open: [{ ...real, expiresAt: NaN }] },
      { open: [{ ...real, expiresAt: '1' }] },
      { open: [{ ...real, state: 'accepted' }] },
      { open: [real, { ...real, state: 7 }] },
      { open: Array(257).fill(real) },
    ];
    for (const message of hostile) channel.postMessage(message);
  }, name);
  // Messages keep their order: when the answer to this one is heard, so are those before it.
  const before = await second.evaluate(() => window.log.elsewhere.length);
  await third.evaluate((channelName) => new BroadcastChannel(channelName).postMessage({ ask: true }), name);
  await second.waitForFunction((count) => window.log.elsewhere.length > count, before);
  const heard = await second.evaluate(() => window.log.elsewhere.map((list) => list.map(({ requester }) => requester.name)));
  assert.ok(
    heard.every((names) => names.every((one) => one === 'local backend')),
    JSON.stringify(heard),
  );
  assert.equal(await second.evaluate(() => window.wallet.elsewhere[0].purpose), 'Real');
  assert.deepEqual(await second.evaluate(() => [window.log.errors, window.log.requests.length]), [[], 0]);
  assert.equal(await leading.evaluate(() => window.wallet.state), 'connected');

  await leading.evaluate(() => window.log.requests[0].approve());
  assert.equal((await answer).status, 200);
});

inPages('each tab by itself, where that is wanted', async ({ open }) => {
  const [first, second] = [await open(), await open()];
  const publicKey = await connect(first, { tabs: 'each' });
  await connect(second, { tabs: 'each' });
  assert.equal(await world.server.connections(publicKey), 2);
});

inPages('an IndexedDB that does not open is one error for decisions and one for policies, and no more', async ({ context, open }) => {
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('not in this window', 'SecurityError');
    };
  });
  const page = await open();
  const publicKey = await connect(page);
  for (const count of [1, 2]) {
    const { answer } = backendAsks(world.server, publicKey, 'anyway');
    await asked(page, count);
    await page.evaluate((last) => window.log.requests[last].approve(), count - 1);
    assert.equal((await answer).status, 200);
  }
  assert.deepEqual(await page.evaluate(() => window.log.errors), ['storage_unavailable', 'storage_failed']);
});

for (const { what, event, on } of [
  { what: 'the network is back', event: 'online', on: 'window' },
  { what: 'somebody looks at the page', event: 'visibilitychange', on: 'document' },
  { what: 'the page is shown again', event: 'pageshow', on: 'window' },
]) {
  inPages(`a wallet that would wait for ten minutes comes back when ${what}`, async ({ open }) => {
    const page = await open();
    await page.evaluate(() => {
      const Native = WebSocket;
      window.sockets = [];
      window.WebSocket = class extends Native {
        constructor(url, protocols) {
          super(url, protocols);
          window.sockets.push(this);
        }
      };
    });
    await connect(page, { backoff: { initialMs: 600_000, maxMs: 600_000 } });
    await page.evaluate(() => window.sockets[0].close(4000));
    await page.waitForFunction(() => window.wallet.state === 'reconnecting');
    await page.evaluate(([name, target]) => (target === 'window' ? window : document).dispatchEvent(new Event(name)), [event, on]);
    await page.waitForFunction(() => window.wallet.state === 'connected');
  });
}
