// What the human has allowed in advance, kept by a real browser and told to a real backend.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { barePage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { inContext } from './in-context.mjs';
import { until } from './until.mjs';

const MODULE = `
  import { Key, Wallet } from './countersign/browser.js';
  const log = { requests: [], approved: [], changes: [], errors: [] };
  window.log = log;
  window.open_wallet = async (options) => {
    const wallet = new Wallet({ key: await Key.fromSeed(new Uint8Array(32).fill(7)), ...options });
    wallet.on('request', (request) => { log.requests.push(request); request.displayed(); });
    wallet.on('approved', ({ request, policy }) => log.approved.push([request.id, policy.id, policy.usesLeft]));
    wallet.on('error', ({ code }) => log.errors.push(code));
    wallet.policies.on('change', (policies) => log.changes.push(policies.map(({ usesLeft }) => usesLeft)));
    window.wallet = wallet;
    await wallet.connect();
    return wallet.publicKey;
  };
`;

const world = newWorld({ webRoot: barePage({ 'main.js': MODULE }) });

/** What this server calls a backend without a token. */
const requester = 'local backend';

const inPages = (name, body) =>
  inContext(world, name, ({ context }) =>
    body(async (options) => {
      const page = await context.newPage();
      await page.goto(world.server.url);
      await page.waitForFunction(() => window.open_wallet);
      return options === null ? page : Object.assign(page, { publicKey: await connect(page, options) });
    }),
  );

const connect = (page, options) => page.evaluate((more) => window.open_wallet(more), options);
const grant = (page, rule) => page.evaluate((rule) => window.wallet.policies.grant(rule), rule);
const list = (page) => page.evaluate(() => window.wallet.policies.list());

inPages('a rule outlives a reload, counts down, and is told to the backend', async (open) => {
  const page = await open();
  const { id } = await grant(page, { requester, prefix: 'login ', uses: 3 });
  const first = await backendAsks(world.server, page.publicKey, 'login 1').answer;
  assert.deepEqual([first.status, first.body.approved_by], [200, `policy:${id}`]);
  await page.reload();
  await page.waitForFunction(() => window.open_wallet);
  await connect(page);
  assert.deepEqual(
    (await list(page)).map(({ id, usesLeft }) => [id, usesLeft]),
    [[id, 2]],
  );
  const second = await backendAsks(world.server, page.publicKey, 'login 2').answer;
  assert.equal(second.body.approved_by, `policy:${id}`);
  const { answer } = backendAsks(world.server, page.publicKey, 'logout');
  await page.waitForFunction(() => window.log.requests.length === 1);
  await page.evaluate(() => window.log.requests[0].reject());
  assert.equal((await answer).status, 403);
  assert.equal(await page.evaluate(() => window.log.approved.length), 1);
});

inPages('a rule granted and revoked in a tab that stands by counts in the one that leads', async (open) => {
  const leading = await open();
  const standby = await open();
  const { id } = await grant(standby, { requester, prefix: 'hello' });
  assert.equal((await backendAsks(world.server, leading.publicKey, 'hello').answer).body.approved_by, `policy:${id}`);
  await until('the tab that stands by is told', () => standby.evaluate(() => JSON.stringify(window.log.changes) === '[[10],[9]]'));
  await standby.evaluate((id) => window.wallet.policies.revoke(id), id);
  const { answer } = backendAsks(world.server, leading.publicKey, 'hello again');
  await leading.waitForFunction(() => window.log.requests.length === 1);
  await leading.evaluate(() => window.log.requests[0].reject());
  assert.equal((await answer).status, 403);
});

inPages('two tabs that are both asked never exceed the uses', async (open) => {
  const pages = [await open({ tabs: 'each' }), await open({ tabs: 'each' })];
  await grant(pages[0], { requester, kind: 'text', prefix: 'request ', uses: 5 });
  const asked = Array.from({ length: 8 }, (_, n) => backendAsks(world.server, pages[0].publicKey, `request ${n}`));
  const approved = async () => (await Promise.all(pages.map((page) => page.evaluate(() => window.log.approved)))).flat();
  await until('all uses are used', async () => (await list(pages[1])).length === 0);
  await until('what is left is shown', async () => {
    const shown = await Promise.all(
      pages.map((page) => page.evaluate(() => window.log.requests.filter(({ state }) => state === 'open').length)),
    );
    return shown.some((count) => count > 0);
  });
  // One that the other tab had answered by then is wasted: no use serves twice.
  const used = (await approved()).map(([, , usesLeft]) => usesLeft);
  assert.ok(used.length > 0 && used.every((left) => left >= 0 && left < 5), String(used));
  assert.equal(new Set(used).size, used.length, String(used));
  for (const { cancel } of asked) cancel();
});

inPages('a database of an earlier version gets room for rules, and keeps what it has', async (open) => {
  const page = await open(null);
  await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('countersign', 1);
        opening.onerror = () => reject(opening.error);
        opening.onupgradeneeded = () => {
          const requests = opening.result.createObjectStore('requests', { keyPath: ['publicKey', 'audience', 'id'] });
          requests.createIndex('expiresAt', 'expiresAt');
          const devices = opening.result.createObjectStore('devices', { keyPath: ['publicKey', 'audience'] });
          devices.put({ publicKey: 'another', audience: 'wss://example.com/ws', id: 'kept' });
        };
        opening.onsuccess = () => {
          opening.result.close();
          resolve(undefined);
        };
      }),
  );
  const publicKey = await connect(page);
  const { id } = await grant(page, { requester, prefix: 'hello' });
  assert.equal((await backendAsks(world.server, publicKey, 'hello').answer).body.approved_by, `policy:${id}`);
  assert.deepEqual(await page.evaluate(() => window.log.errors), []);
  assert.deepEqual(
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('countersign');
          opening.onsuccess = () => {
            const got = opening.result.transaction('devices').objectStore('devices').get(['another', 'wss://example.com/ws']);
            got.onsuccess = () => resolve([opening.result.version, got.result.id]);
          };
        }),
    ),
    [2, 'kept'],
  );
});
