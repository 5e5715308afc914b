// What a visit costs, as the browser counts it, over the real server.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { world as newWorld, WEB_ROOT } from './harness.mjs';
import { Tab } from './visit.mjs';

const world = newWorld();

/** Requests of one visit, headers included. */
const MOST_REQUESTS = 11;
const MOST_BYTES = 120_000;

/** What a page has loaded by the DevTools protocol: the path, status, bytes on the wire, and whether a cache had it. */
async function counted(context, page) {
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  const loads = new Map();
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) =>
    loads.set(requestId, { path: new URL(request.url).pathname, bytes: 0 }),
  );
  devtools.on('Network.webSocketCreated', ({ requestId, url }) => loads.set(requestId, { path: new URL(url).pathname, bytes: 0 }));
  devtools.on('Network.requestServedFromCache', ({ requestId }) => Object.assign(loads.get(requestId), { cached: true }));
  // Of what was revalidated the response is that of the cache, and the extra information what the server said.
  devtools.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) =>
    Object.assign(loads.get(requestId) ?? {}, { status: statusCode }),
  );
  devtools.on('Network.responseReceived', ({ requestId, response }) =>
    Object.assign(loads.get(requestId), { encoding: response.headers['content-encoding'], cached: response.fromDiskCache }),
  );
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    Object.assign(loads.get(requestId), { bytes: encodedDataLength }),
  );
  return () => [...loads.values()];
}

/** Asks as a client that is no browser. */
function fetchRaw(path, headers = {}) {
  return new Promise((resolve, reject) => {
    get(`${world.server.url}${path}`, { headers, agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (chunk) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, bytes }));
    }).on('error', reject);
  });
}

/** A file of the page by the end of its name, as an address. */
function asset(end) {
  const [directory] = readdirSync(join(WEB_ROOT, 'immutable'));
  return `/immutable/${directory}/${end}`;
}

test('a visit takes few requests and bytes, and the next one hardly any', async () => {
  const context = await world.newContext();
  const page = await context.newPage();
  const loads = await counted(context, page);
  await page.goto(world.server.url);
  const tab = await new Tab(page).connected();
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  const first = loads();
  const bytes = first.reduce((sum, load) => sum + load.bytes, 0);
  console.log(`first visit: ${first.length} requests, ${bytes} bytes`);
  for (const load of first) console.log(`  ${load.path} ${load.status} ${load.encoding ?? '-'} ${load.bytes}`);
  assert.ok(first.length <= MOST_REQUESTS, `${first.length} requests`);
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);

  const again = await context.newPage();
  const later = await counted(context, again);
  await page.close();
  await again.goto(world.server.url);
  await new Tab(again).connected();
  const second = later();
  for (const load of second) console.log(`  again: ${load.path} ${load.status} cached:${load.cached} ${load.bytes}`);
  assert.equal(second.find(({ path }) => path === '/')?.status, 304);
  const fetched = second.filter(({ path, cached }) => path.startsWith('/immutable/') && !cached);
  assert.deepEqual(fetched, []);
  assert.ok(second.reduce((sum, load) => sum + load.bytes, 0) < 3_000);
  await context.close();
});

test('each reader gets the encoding it takes, and a cache is told that it differs', async () => {
  const script = asset('main.js');
  const plain = await fetchRaw(script);
  assert.deepEqual([plain.headers['content-encoding'], plain.headers.vary], [undefined, 'accept-encoding']);
  for (const [accepted, encoding] of [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
  ]) {
    const answer = await fetchRaw(script, { 'accept-encoding': accepted });
    assert.equal(answer.headers['content-encoding'], encoding);
    assert.equal(answer.headers['content-type'], plain.headers['content-type']);
    assert.equal(Number(answer.headers['content-length']), answer.bytes);
    assert.ok(answer.bytes < plain.bytes / 2);
    assert.equal(answer.headers.vary, 'accept-encoding');
  }
  const part = await fetchRaw(script, { 'accept-encoding': 'br', range: 'bytes=0-9' });
  assert.deepEqual([part.status, part.bytes, part.headers['content-encoding']], [206, 10, undefined]);
});

test('what never changes is kept, and what names it is asked for each time', async () => {
  const kept = await fetchRaw(asset('signer.wasm'), { 'accept-encoding': 'br' });
  assert.equal(kept.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.equal(kept.headers['content-type'], 'application/wasm');
  const page = await fetchRaw('/', { 'accept-encoding': 'br' });
  assert.equal(page.headers['cache-control'], 'no-cache');
  assert.match(page.headers['content-type'], /^text\/html/);
  const { etag } = page.headers;
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await fetchRaw('/', { 'accept-encoding': 'br', 'if-none-match': known });
    assert.deepEqual([again.status, again.bytes, again.headers.etag, again.headers.vary], [304, 0, etag, 'accept-encoding'], known);
    assert.match(again.headers['content-security-policy'], /default-src 'none'/);
  }
  assert.equal((await fetchRaw('/', { 'accept-encoding': 'br', 'if-none-match': '"other"' })).status, 200);
  // One tag a representation: a cache must not take one for the other.
  assert.notEqual((await fetchRaw('/', { 'accept-encoding': 'gzip' })).headers.etag, etag);
});
