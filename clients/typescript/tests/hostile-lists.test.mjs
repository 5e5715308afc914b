// Lists, batches and withdrawals of several, from servers that lie about them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { publicKeyOf, sign } from '../../../tests/foreign/ed25519.mjs';
import * as client from '../dist/index.js';
import { Cleanups, fakeServer, PATIENCE, problem, signedRequestBy, table } from './world.mjs';

const { Countersign } = client;
const SEED = randomBytes(32);
const KEY = publicKeyOf(SEED).toString('base64');
const OTHER_KEY = publicKeyOf(randomBytes(32)).toString('base64');
const MESSAGE = Buffer.from('Pay 25 EUR to Alice');
const BATCH = '0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a';
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

const id = (number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
/** A request as a list has it; the higher its number, the newer. */
const entry = (number, changed = {}) => signedRequestBy(SEED, MESSAGE, { request_id: id(number), ...changed });
const OPEN = { state: 'received', signature: undefined };
const FORGED = { signature: sign(SEED, Buffer.from('something else')).toString('base64') };

const page = (numbers, next_cursor, changed = {}) => ({
  requests: numbers.map((number) => entry(number, changed)),
  ...(next_cursor === undefined ? {} : { next_cursor }),
});
const member = (index, changed = {}, size = 2) => entry(index + 1, { batch: { id: BATCH, index, size }, ...changed });
const batchOf = (requests, changed = {}) => ({ batch_id: BATCH, state: 'ended', requests, ...changed });

/** Answers call after call with these bodies, and all further calls with the last. */
async function script(...bodies) {
  let count = 0;
  const server = await fakeServer(() => {
    const told = bodies[Math.min(count++, bodies.length - 1)];
    return told?.status ? told : { body: told };
  });
  cleanups.add(() => server.close());
  return server;
}

/** The ids that were told, and the error that ended it. */
async function walked(server, options = {}, made = {}) {
  /** @type {any[]} */
  const ids = [];
  try {
    for await (const { request_id } of new Countersign(server.url, made).list(options)) ids.push(request_id);
    return { ids };
  } catch (/** @type {any} */ error) {
    return { ids, error };
  }
}

/** @returns {Promise<any>} */
const failure = (promise) =>
  promise.then(
    (value) => assert.fail(`it succeeded with ${JSON.stringify(value)}`),
    (error) => error,
  );

/** What is no answer to any of these calls. */
const NONSENSE = table([
  ['{"requests":', /the answer is no JSON/],
  ['', /the answer is no JSON/],
  ['['.repeat(1_000_000), /no JSON/],
  ['null', /has to be an object/],
  ['[]', /has to be an object/],
  ['{"__proto__":{"requests":[],"cancelled":0,"has_more":false}}', /has to be/],
  [{ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }, /text\/html, not application\/json/],
  [{ status: 200, body: Buffer.from([0x7b, 0xff, 0x7d]) }, /no UTF-8/],
  [{ status: 204, body: '' }, /.*/],
]);

/** @type {Record<string, (server: { url: string }) => Promise<unknown>>} */
const CALLS = {
  list: (server) => new Countersign(server.url).list().next(),
  batch: (server) => new Countersign(server.url).batch(BATCH),
  cancelBatch: (server) => new Countersign(server.url).cancelBatch(BATCH),
  cancelAll: (server) => new Countersign(server.url).cancelAll({ reference: 'x' }),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} of what makes no sense is an error that says so`, PATIENCE, async () => {
    for (const [body, why] of NONSENSE) {
      const server = await script(body);
      const error = await failure(call(server));
      assert.ok(error instanceof client.ProtocolError, `${error} for ${why}`);
      assert.match(error.message, why);
      assert.equal(server.calls.length, 1);
    }
    const endless = await fakeServer((_call, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const write = () => {
        while (response.write(' '.repeat(65_536)));
      };
      response.on('drain', write);
      write();
    });
    cleanups.add(() => endless.close());
    assert.match((await failure(call(endless))).message, /longer than \d+ bytes/);
    assert.ok((await failure(call(await script(problem(403, 'read_only'))))) instanceof client.CountersignError);
  });
}

test('an honest list is walked to its end', PATIENCE, async () => {
  const server = await script(page([9, 8], 'a+b'), page([], 'c'), page([7]), page([6]));
  assert.deepEqual(await walked(server, { publicKey: KEY, state: 'ended', pageSize: 2 }), { ids: [id(9), id(8), id(7)] });
  const asked = server.calls.map(({ url }) => new URL(url, server.url).searchParams);
  assert.deepEqual(
    asked.map((query) => query.get('cursor')),
    [null, 'a+b', 'c'],
  );
  for (const query of asked) assert.deepEqual([query.get('public_key'), query.get('limit')], [KEY, '2']);
});

test('pages that cannot be those of a list end the walk', PATIENCE, async () => {
  for (const [pages, ids, calls, why] of table([
    // Cursors that come again, with what comes again.
    [[page([9, 8], 'c')], [9, 8], 2, /again, or out of its order/],
    [[page([9], 'a'), page([8], 'b'), page([9], 'a')], [9, 8], 3, /again, or out of its order/],
    [[page([9], 'c'), page([9], 'd')], [9], 2, /again, or out of its order/],
    [[page([], 'c')], [], 2, /in a circle/],
    [[page([], 'a'), page([], 'b'), page([], 'a')], [], 3, /in a circle/],
    [[page([9], 'a'), page([], 'a')], [9], 2, /in a circle/],
    // Orders.
    [[page([8, 9])], [], 1, /out of its order/],
    [[page([9, 9])], [], 1, /again/],
    [[page([7], 'c'), page([8])], [7], 2, /out of its order/],
    // Sizes.
    [[page(Array.from({ length: 101 }, (_, at) => 900 - at))], [], 1, /page\.requests has to be a list of 0 to 100/],
    [[{ requests: [], next_cursor: 'c'.repeat(513) }], [], 1, /page\.next_cursor/],
    // Types.
    [[{ requests: [], next_cursor: '' }], [], 1, /page\.next_cursor/],
    [[{ requests: [], next_cursor: 'a\r\nb' }], [], 1, /page\.next_cursor/],
    [[{ requests: [], next_cursor: null }], [], 1, /page\.next_cursor/],
    [[{ requests: [], next_cursor: ['c'] }], [], 1, /page\.next_cursor/],
    [[{ next_cursor: 'c' }], [], 1, /page\.requests/],
    [[{ requests: { 0: entry(9), length: 1 } }], [], 1, /page\.requests/],
    [[{ requests: [entry(9), null] }], [], 1, /page\.requests\[1\] has to be an object/],
    [[page([9], undefined, { request_id: 9 })], [], 1, /page\.requests\[0\]\.request_id has to be a UUID/],
    [[page([9], undefined, { state: 'done' })], [], 1, /page\.requests\[0\]\.state/],
    [[page([9], undefined, { signature: undefined })], [], 1, /page\.requests\[0\]\.signature/],
  ])) {
    const server = await script(...pages);
    const { ids: seen, error } = await walked(server);
    assert.ok(error instanceof client.ProtocolError, `${error} for ${why}`);
    assert.match(error.message, why);
    assert.deepEqual([seen, server.calls.length], [ids.map(id), calls], String(why));
  }
});

test('an endless list of nothing ends', PATIENCE, async () => {
  let calls = 0;
  const fetch = async () => Response.json(page([], `c${calls++}`));
  const { ids, error } = await walked({ url: 'http://127.0.0.1' }, {}, { fetch });
  assert.match(error.message, /10000 pages of the list in a row are empty/);
  assert.deepEqual([ids.length, calls], [0, 10_001]);
});

test('a list has what was asked for, and nobody else’s', PATIENCE, async () => {
  const rejected = { state: 'rejected', signature: undefined, error: { code: 'rejected', detail: 'no' } };
  for (const [options, lie, truth] of table([
    [{ publicKey: KEY }, { ...OPEN, public_key: OTHER_KEY }, OPEN],
    [{ publicKey: Buffer.from(KEY, 'base64').toString('hex') }, { ...OPEN, public_key: OTHER_KEY }, {}],
    [{ publicKey: new Uint8Array(Buffer.from(KEY, 'base64')) }, { ...OPEN, public_key: OTHER_KEY }, {}],
    [{ reference: 'order-1' }, { reference: 'order-2' }, { reference: 'order-1' }],
    [{ reference: 'order-1' }, {}, { reference: 'order-1' }],
    [{ batchId: BATCH }, { batch: { id: id(1), index: 0, size: 2 } }, { batch: { id: BATCH, index: 0, size: 2 } }],
    [{ batchId: BATCH }, {}, { batch: { id: BATCH, index: 0, size: 2 } }],
    [{ state: 'open' }, {}, OPEN],
    [{ state: 'ended' }, OPEN, rejected],
    [{ state: 'signed' }, rejected, {}],
    [{ state: 'rejected' }, {}, rejected],
  ])) {
    const lying = await walked(await script({ requests: [entry(9, truth), entry(8, lie)] }), options);
    assert.ok(lying.error instanceof client.ProtocolError, JSON.stringify(options));
    assert.match(lying.error.message, /not asked for/);
    assert.deepEqual([lying.error.request_id, lying.ids], [id(8), []]);
    assert.deepEqual(await walked(await script({ requests: [entry(9, truth)] }), options), { ids: [id(9)] });
  }
  const many = await walked(await script(page([9, 8, 7])), { pageSize: 2 });
  assert.match(many.error.message, /3 requests, and 2 were asked for/);
});

test('nothing of a page is told before all of it has been verified', PATIENCE, async () => {
  const server = await script(page([9], 'c'), { requests: [entry(8), entry(7, FORGED)] });
  const { ids, error } = await walked(server);
  assert.ok(error instanceof client.VerificationError);
  assert.deepEqual([error.request_id, ids], [id(7), [id(9)]]);
  const refused = await walked(await script(page([9], 'c'), problem(401, 'unauthorized')));
  assert.ok(refused.error instanceof client.UnauthorizedError);
  assert.deepEqual(refused.ids, [id(9)]);
});

for (const name of ['batch', 'cancelBatch']) {
  test(`${name} is of the batch that was named`, PATIENCE, async () => {
    const truth = batchOf([member(0), member(1)]);
    const honest = await script(truth);
    assert.deepEqual(await CALLS[name]?.(honest), JSON.parse(JSON.stringify(truth)));
    assert.deepEqual([honest.calls[0].method, honest.calls[0].url], [name === 'batch' ? 'GET' : 'DELETE', `/v1/batches/${BATCH}`]);
    const upper = await script(truth);
    await new Countersign(upper.url).batch(BATCH.toUpperCase());
    assert.equal(upper.calls[0].url, `/v1/batches/${BATCH}`);
    // Those that are kept no more are left out.
    await CALLS[name]?.(await script(batchOf([member(1)])));
    for (const [body, why] of table([
      [batchOf([member(0)], { batch_id: id(1) }), /another batch/],
      [batchOf([member(0), entry(2)]), /not of it/],
      [batchOf([member(0), member(1, { batch: { id: id(1), index: 1, size: 2 } })]), /not of it/],
      [batchOf([member(0), member(1, {}, 3)]), /not of it/],
      [batchOf([member(0), member(1, { ...OPEN, public_key: OTHER_KEY })], { state: 'open' }), /not of it/],
      [batchOf([member(1), member(0)]), /order of its messages/],
      [batchOf([member(0), member(0)]), /order of its messages/],
      [batchOf([member(0), member(2)]), /order of its messages/],
      [batchOf([member(0), member(1, { request_id: id(1) })]), /two messages have one request/],
      [batchOf([member(0), member(1, OPEN)]), /said to be ended/],
      [batchOf([member(0), member(1)], { state: 'open' }), /said to be open/],
      [batchOf([member(0)], { state: 'done' }), /batch\.state/],
      [batchOf([member(0)], { batch_id: undefined }), /batch\.batch_id/],
      [batchOf([member(0, { batch: { id: BATCH, index: '0', size: 2 } })]), /batch\.requests\[0\]\.batch\.index/],
      [batchOf([]), /batch\.requests has to be a list of 1 to 16/],
      [batchOf(Array.from({ length: 17 }, (_, at) => member(at, {}, 17))), /batch\.requests has to be a list of 1 to 16/],
      [batchOf('none'), /batch\.requests/],
    ])) {
      const server = await script(body);
      const error = await failure(/** @type {any} */ (CALLS[name])(server));
      assert.ok(error instanceof client.ProtocolError, `${error} for ${why}`);
      assert.match(error.message, why);
      assert.equal(server.calls.length, 1);
    }
    const forged = await failure(/** @type {any} */ (CALLS[name])(await script(batchOf([member(0), member(1, FORGED)]))));
    assert.ok(forged instanceof client.VerificationError);
    assert.equal(forged.request_id, id(2));
  });
}

test('how many were withdrawn is a number that may be', PATIENCE, async () => {
  const call = /** @type {any} */ (CALLS.cancelAll);
  assert.deepEqual(await call(await script({ cancelled: 100, has_more: true })), { cancelled: 100, has_more: true });
  for (const [body, why] of table([
    [{ cancelled: -1, has_more: false }, /answer\.cancelled has to be an integer from 0 to 100/],
    [{ cancelled: 101, has_more: false }, /answer\.cancelled/],
    [{ cancelled: 1.5, has_more: false }, /answer\.cancelled/],
    [{ cancelled: '1', has_more: false }, /answer\.cancelled/],
    [{ has_more: false }, /answer\.cancelled/],
    [{ cancelled: 1 }, /answer\.has_more/],
    [{ cancelled: 1, has_more: 'no' }, /answer\.has_more/],
    [{ cancelled: 1, has_more: null }, /answer\.has_more/],
    [{ requests: [], next_cursor: 'c' }, /answer\.cancelled/],
  ])) {
    const error = await failure(call(await script(body)));
    assert.ok(error instanceof client.ProtocolError, `${error} for ${why}`);
    assert.match(error.message, why);
  }
});
