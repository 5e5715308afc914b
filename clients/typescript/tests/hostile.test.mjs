// The client against servers, proxies and networks that lie, break off, or have enough.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { publicKeyOf, sign } from '../../../tests/foreign/ed25519.mjs';
import * as client from '../dist/index.js';
import { Cleanups, fakeServer, PATIENCE, problem, signedRequestBy, TestClock, table } from './world.mjs';

const { Countersign } = client;
const SEED = randomBytes(32);
const KEY = publicKeyOf(SEED).toString('base64');
const MESSAGE = new TextEncoder().encode('Pay 25 EUR to Alice');
const ID = randomUUID();
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** A request that ended with a signature as it should. */
const signedRequest = (changed = {}) => signedRequestBy(SEED, MESSAGE, { request_id: ID, ...changed });
const openRequest = (changed = {}) => signedRequest({ state: 'delivered', signature: undefined, ...changed });

async function fake(answer) {
  const server = await fakeServer(answer);
  cleanups.add(() => server.close());
  return server;
}

/** Answers the first calls with these, one after the other, and all further ones with the last. */
async function script(...answers) {
  let count = 0;
  return fake((call, response) => {
    const answer = answers[Math.min(count++, answers.length - 1)];
    return typeof answer === 'function' ? answer(call, response) : answer;
  });
}

/** @returns {Promise<any>} */
const failure = (promise) =>
  promise.then(
    (value) => assert.fail(`it succeeded with ${JSON.stringify(value)}`),
    (error) => error,
  );

test('a server that lies about a signature is found out', PATIENCE, async () => {
  const other = randomBytes(32);
  const signature = Buffer.from(sign(SEED, MESSAGE));
  const flipped = (at) => {
    const changed = Buffer.from(signature);
    changed[at] ^= 1;
    return changed.toString('base64');
  };
  for (const [name, lie, why] of table([
    [
      'another key',
      { public_key: publicKeyOf(other).toString('base64'), signature: sign(other, MESSAGE).toString('base64') },
      /another key/,
    ],
    ['another message', { message: 'aGk=', signature: sign(SEED, Buffer.from('hi')).toString('base64') }, /another message/],
    ['of another key', { signature: sign(other, MESSAGE).toString('base64') }, /does not verify/],
    ['changed in R', { signature: flipped(3) }, /does not verify/],
    ['changed in S', { signature: flipped(40) }, /does not verify/],
  ])) {
    for (const durable of [true, false]) {
      const server = await script({ status: 200, body: signedRequest(lie) });
      const error = await failure(new Countersign(server.url, { durable }).sendToSign(KEY, MESSAGE));
      assert.ok(error instanceof client.VerificationError, name);
      assert.match(error.message, why);
      assert.deepEqual([error.request_id, server.calls.length], [ID, 1]);
    }
    const batch = await script({ status: 200, body: { requests: [signedRequest(), signedRequest({ ...lie, request_id: randomUUID() })] } });
    const [good, bad] = await new Countersign(batch.url).sendToSignBatch(KEY, [MESSAGE, MESSAGE]);
    assert.ok(!(good instanceof Error) && bad instanceof client.VerificationError, name);
  }
  // Of a request that this process has not asked for the message is not known, but the signature has to hold for what is told with it.
  const stranger = await script({ body: signedRequest({ signature: flipped(40) }) });
  assert.ok((await failure(new Countersign(stranger.url).get(ID))) instanceof client.VerificationError);
});

test('a verifier of its own is believed only when it says true', PATIENCE, async () => {
  const server = await script({ body: signedRequest() });
  for (const [verify, holds] of table([
    [() => true, true],
    [async () => true, true],
    [() => false, false],
    [() => /** @type {any} */ (1), false],
  ])) {
    const call = new Countersign(server.url, { verify: /** @type {any} */ (verify) }).sendToSign(KEY, MESSAGE);
    if (holds) await call;
    else assert.ok((await failure(call)) instanceof client.VerificationError);
  }
  const broken = new Countersign(server.url, {
    verify: () => {
      throw new Error('no Ed25519 here');
    },
  });
  assert.match((await failure(broken.sendToSign(KEY, MESSAGE))).message, /could not be verified/);
});

test('what is not as the API says is an error that names what was wrong', PATIENCE, async () => {
  for (const [answer, why] of table([
    [{ body: '{"request_id":' }, /the answer is no JSON/],
    [{ body: '' }, /the answer is no JSON/],
    [{ body: Buffer.from([0x22, 0xff, 0x22]) }, /no UTF-8/],
    [{ body: '<html>', headers: { 'content-type': 'text/html' } }, /text\/html, not application\/json/],
    [{ body: '[]' }, /request has to be an object/],
    [{ body: 'null' }, /request has to be an object/],
    [{ body: '{"__proto__":{}}' }, /request\.request_id/],
    [{ body: signedRequest({ request_id: '../../x' }) }, /request\.request_id has to be a UUID/],
    [{ body: signedRequest({ public_key: 'AAAA' }) }, /request\.public_key has to be 32 bytes/],
    [{ body: signedRequest({ state: 'done' }) }, /request\.state has to be one of/],
    [{ body: signedRequest({ attempt: '1' }) }, /request\.attempt has to be an integer/],
    [{ body: signedRequest({ attempt: 1.5 }) }, /request\.attempt/],
    [{ body: signedRequest({ requester: null }) }, /request\.requester has to be an object/],
    [{ body: signedRequest({ requester: { name: 1 } }) }, /request\.requester\.name has to be a string/],
    [{ body: signedRequest({ times: {} }) }, /request\.times\.queued_ms/],
    [{ body: signedRequest({ purpose: null }) }, /request\.purpose/],
    [{ body: signedRequest({ message: 'aGk' }) }, /request\.message has to be bytes in canonical base64/],
    [{ body: signedRequest({ message: 'aGl=' }) }, /request\.message/],
    [{ body: signedRequest({ signature: undefined }) }, /request\.signature/],
    [{ body: signedRequest({ signature: 'AAAA' }) }, /request\.signature has to be 64 bytes/],
    [{ body: openRequest({ signature: signedRequest().signature }) }, /request\.signature has to be left out/],
    [{ body: openRequest({ state: 'rejected' }) }, /request\.error/],
    [{ body: signedRequest({ error: { code: 'x', detail: 'y' } }) }, /request\.error/],
    [{ body: openRequest({ state: 'rejected', error: { code: 1, detail: 'y' } }) }, /request\.error\.code/],
    [{ status: 404, body: '<html>', headers: { 'content-type': 'text/html' } }, /404 with text\/html: is this a Countersign server/],
    [{ status: 302, body: '', headers: { location: 'http://127.0.0.1:1/' } }, /the answer is 302/],
    [{ status: 400, body: '{"code":1}', headers: { 'content-type': 'application/problem+json' } }, /problem\.status/],
    [{ status: 400, body: '{', headers: { 'content-type': 'application/problem+json' } }, /the problem of a 400 is no JSON/],
    [{ body: '['.repeat(1_000_000) }, /no JSON/],
  ])) {
    const server = await script(answer);
    const error = await failure(new Countersign(server.url).sendToSign(KEY, MESSAGE));
    assert.ok(error instanceof client.ProtocolError, `${error.name} for ${why}`);
    assert.match(error.message, why);
    assert.equal(server.calls.length, 1);
  }
});

test('what later versions add passes through', PATIENCE, async () => {
  const server = await script({ body: signedRequest({ later: { is: 'more' } }) });
  const told = /** @type {any} */ (await new Countersign(server.url).get(ID));
  assert.deepEqual(told.later, { is: 'more' });
});

test('an id is taken in either case, as the server takes it', PATIENCE, async () => {
  const upper = ID.toUpperCase();
  const server = await script({ body: signedRequest() });
  const one = new Countersign(server.url);
  for (const call of [() => one.get(upper), () => one.wait(upper), () => one.cancel(upper)]) assert.equal((await call()).request_id, ID);
  const stream = { headers: { 'content-type': 'text/event-stream' }, body: `event: signed\ndata: ${JSON.stringify(signedRequest())}\n\n` };
  const told = await script({ status: 200, ...stream });
  for await (const { request_id } of new Countersign(told.url).follow(upper)) assert.equal(request_id, ID);
  const receipt = await script({ status: 200, body: 'a.b.c', headers: { 'content-type': 'application/jose' } });
  assert.equal(await new Countersign(receipt.url).receipt(upper), 'a.b.c');
  const urls = [server, told, receipt].flatMap(({ calls }) => calls.map(({ url }) => url));
  const path = `/v1/requests/${ID}`;
  assert.deepEqual(urls, [path, `${path}?wait=45`, path, `${path}/events`, `${path}/receipt`]);
  const other = await script({ body: signedRequest({ request_id: randomUUID() }) });
  assert.match((await failure(new Countersign(other.url).get(upper))).message, /another request/);
});

test('an answer for another request, or for fewer messages, is none', PATIENCE, async () => {
  const server = await script({ body: signedRequest({ request_id: randomUUID() }) });
  assert.match((await failure(new Countersign(server.url).get(ID))).message, /another request/);
  const fewer = await script({ body: { requests: [signedRequest()] } });
  assert.match((await failure(new Countersign(fewer.url).sendToSignBatch(KEY, [MESSAGE, MESSAGE]))).message, /1 of 2 messages/);
  const twice = await script({ body: { requests: [signedRequest(), signedRequest()] } });
  assert.match((await failure(new Countersign(twice.url).sendToSignBatch(KEY, [MESSAGE, MESSAGE]))).message, /one request/);
  for (const bad of [
    (one) => one.get('../../healthz'),
    (one) => one.get(`${ID.toUpperCase()}/..`),
    (one) => one.get(undefined),
    (one) => one.batch(`{${ID}}`),
    (one) => one.signer('..'),
    (one) => one.sendToSign(KEY, MESSAGE, { idempotencyKey: 'a\nb' }),
  ]) {
    assert.ok((await failure(bad(new Countersign(server.url)))) instanceof client.InvalidRequestError);
  }
});

test('an answer without an end ends', PATIENCE, async () => {
  const endless = await fake((_call, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const write = () => {
      while (response.write('x'.repeat(10_000)));
    };
    response.on('drain', write);
    write();
  });
  const error = await failure(new Countersign(endless.url, { maxAnswerBytes: 100_000 }).get(ID));
  assert.match(error.message, /longer than 100000 bytes/);
  const silent = await fake(() => undefined);
  const late = await failure(new Countersign(silent.url, { exchangeTimeoutMs: 100, patienceMs: 150 }).get(ID));
  assert.ok(late instanceof client.NetworkError && late.sent);
  assert.match(late.message, /nothing whole came within 100 ms/);
  // A platform whose fetch does not heed signals keeps nobody waiting either.
  const deaf = new Countersign('http://127.0.0.1', { exchangeTimeoutMs: 50, patienceMs: 60, fetch: () => new Promise(() => {}) });
  assert.ok((await failure(deaf.get(ID))) instanceof client.NetworkError);
});

test('a call is made again under the same key, after what a proxy or a server in trouble says', PATIENCE, async () => {
  const html = { 'content-type': 'text/html' };
  for (const trouble of [
    { status: 502, body: '<html>', headers: html },
    { status: 503, body: '', headers: html },
    { status: 504, body: '<html>', headers: html },
    { status: 500, body: '', headers: html },
    problem(503, 'draining'),
    problem(503, 'storage_unavailable'),
    problem(503, 'something_new'),
    problem(429, 'rate_limited', { 'retry-after': '2' }),
    problem(408, 'request_timeout'),
    (_call, response) => response.destroy(),
    // The head says more than comes.
    (_call, response) => {
      response.writeHead(202, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{', () => response.destroy());
    },
  ]) {
    const server = await script(trouble, trouble, { status: 202, body: openRequest() }, trouble, { body: signedRequest() });
    const clock = new TestClock();
    await new Countersign(server.url, { clock }).sendToSign(KEY, MESSAGE);
    const posts = server.calls.filter(({ method }) => method === 'POST');
    assert.equal(posts.length, 3);
    assert.equal(new Set(posts.map(({ headers }) => headers['idempotency-key'])).size, 1);
    assert.equal(new Set(posts.map(({ body }) => JSON.stringify(body))).size, 1);
    assert.equal(server.calls.length, 5);
  }
});

test('an end is an end, whatever its status', PATIENCE, async () => {
  for (const [status, code, Class] of table([
    [502, 'invalid_signature', client.WalletError],
    [502, 'signer_disconnected', client.SignerDisconnectedError],
    [504, 'timeout', client.ExpiredError],
    [504, 'delivery_timeout', client.DeliveryTimeoutError],
    [409, 'cancelled', client.CancelledError],
    [403, 'something_new', client.CountersignError],
    [422, 'something_new', client.InvalidRequestError],
    [404, 'something_new', client.InvalidRequestError],
  ])) {
    const server = await script(problem(status, code));
    const error = await failure(new Countersign(server.url).sendToSign(KEY, MESSAGE));
    assert.ok(error instanceof Class, `${code} is ${error.name}`);
    assert.deepEqual([error.code, error.status, server.calls.length], [code, status, 1]);
  }
});

test('without durability only what asked nobody is made again', PATIENCE, async () => {
  const answer = signedRequest();
  for (const code of ['rate_limited', 'requester_limit', 'too_many_inflight', 'overloaded', 'audit_unavailable', 'request_timeout']) {
    const server = await script(problem(503, code), { body: answer });
    await new Countersign(server.url, { durable: false, clock: new TestClock() }).sendToSign(KEY, MESSAGE);
    assert.deepEqual(
      [server.calls.length, server.calls[0].headers['idempotency-key'], server.calls[0].headers.prefer],
      [2, undefined, undefined],
    );
  }
  for (const trouble of [
    { status: 502, body: '<html>' },
    { status: 503, body: '', headers: { 'retry-after': '1' } },
    problem(503, 'draining'),
    problem(503, 'storage_unavailable'),
    problem(503, 'something_new'),
    (_call, response) => response.destroy(),
  ]) {
    const server = await script(trouble, { body: answer });
    await failure(new Countersign(server.url, { durable: false, clock: new TestClock() }).sendToSign(KEY, MESSAGE));
    assert.equal(server.calls.length, 1);
  }
});

test('a server that keeps nothing is not asked anew after an attempt that may have been accepted', PATIENCE, async () => {
  const server = await script((_call, response) => response.destroy(), problem(501, 'no_store'), { body: signedRequest() });
  const error = await failure(new Countersign(server.url, { clock: new TestClock() }).sendToSign(KEY, MESSAGE));
  assert.ok(error instanceof client.NetworkError && error.sent);
  assert.ok(error.cause instanceof client.NoStoreError);
  assert.equal(server.calls.length, 2);
});

test('a server that kept nothing is asked with a key again after ten minutes', PATIENCE, async () => {
  const clock = new TestClock();
  const server = await script(problem(501, 'no_store'), { body: signedRequest() });
  const asking = new Countersign(server.url, { clock });
  await asking.sendToSign(KEY, MESSAGE);
  clock.at += 600_000;
  await asking.sendToSign(KEY, MESSAGE);
  assert.deepEqual(
    server.calls.map(({ headers }) => 'idempotency-key' in headers),
    [true, false, true],
  );
});

test('a refusal that says no time is met with waits that grow', PATIENCE, async () => {
  for (const [status, code] of table([
    [429, 'requester_limit'],
    [429, 'too_many_inflight'],
    [503, 'overloaded'],
    [503, 'draining'],
    [503, 'storage_unavailable'],
    [503, 'audit_unavailable'],
  ])) {
    const refusal = problem(status, code);
    const server = await script(refusal, refusal, refusal, { status: 202, body: openRequest() }, { body: signedRequest() });
    const clock = new TestClock();
    await new Countersign(server.url, { clock, random: () => 1 }).sendToSign(KEY, MESSAGE);
    assert.deepEqual([server.calls.length, clock.slept.slice(0, 3)], [5, [100, 200, 400]], code);
  }
});

test('waits grow, are bounded, and heed Retry-After', PATIENCE, async () => {
  const clock = new TestClock();
  const server = await script(problem(503, 'overloaded'));
  const error = await failure(new Countersign(server.url, { clock, random: () => 1 }).get(ID));
  assert.ok(error instanceof client.UnavailableError);
  assert.deepEqual(clock.slept, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000]);

  for (const [retryAfter, slept] of table([
    ['3', 3_000],
    ['0', 50],
    [new Date(new TestClock().at + 4_000).toUTCString(), undefined],
    ['soon', 50],
    ['-1', 50],
  ])) {
    const own = new TestClock();
    const asked = await script(problem(429, 'rate_limited', { 'retry-after': String(retryAfter) }), { body: signedRequest() });
    await new Countersign(asked.url, { clock: own, random: () => 0 }).get(ID);
    assert.ok(slept === undefined ? own.slept[0] >= 4_000 : own.slept[0] === slept, `${retryAfter}: ${own.slept}`);
  }
  // What is longer than the patience is told at once.
  const long = await script(problem(429, 'rate_limited', { 'retry-after': '3600' }));
  const told = await failure(new Countersign(long.url, { clock: new TestClock() }).get(ID));
  assert.ok(told instanceof client.RateLimitedError);
  assert.deepEqual([told.retry_after, told.status, long.calls.length], [3_600, 429, 1]);
});

test('of several servers the next is called at once, but not to get around a limit', PATIENCE, async () => {
  const draining = await script(problem(503, 'draining'));
  const well = await script({ body: signedRequest() });
  const clock = new TestClock();
  const both = new Countersign([draining.url, `${well.url}/`], { clock });
  await both.get(ID);
  await both.get(ID);
  // The one that has answered is called first the next time.
  assert.deepEqual([draining.calls.length, well.calls.length, clock.slept], [1, 2, []]);
  const limited = await script(problem(429, 'rate_limited', { 'retry-after': '1' }), { body: signedRequest() });
  await new Countersign([limited.url, well.url], { clock }).get(ID);
  assert.deepEqual([limited.calls.length, well.calls.length], [2, 2]);
});

test('a server that answers polls at once is not asked without a pause', PATIENCE, async () => {
  const clock = new TestClock();
  const server = await script({ body: openRequest() });
  assert.equal((await new Countersign(server.url, { clock }).wait(ID, { seconds: 10 })).state, 'delivered');
  assert.ok(server.calls.length <= 11, `${server.calls.length} calls`);
  assert.ok(server.calls.every(({ url }) => Number(new URL(url, server.url).searchParams.get('wait')) <= 60));
});

const stream = (text) => (_call, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(text);
};
const event = (request, name = request.state) => `event:${name}\ndata:${JSON.stringify(request)}\nid:1\n\n`;

async function followed(server, options = {}) {
  const states = [];
  for await (const { state } of new Countersign(server.url, { clock: new TestClock(), ...options }).follow(ID)) states.push(state);
  return states;
}

test('a stream that breaks off is taken up again, and each state told once', PATIENCE, async () => {
  const [delivered, received, signed] = [openRequest(), openRequest({ state: 'received' }), signedRequest()];
  const draining = `event: problem\ndata: ${JSON.stringify(problem(503, 'draining').body)}\n\n`;
  const server = await script(
    stream(`: hello\r\n\r\n${event(delivered)}`),
    problem(503, 'draining'),
    stream(''),
    (_call, response) => response.destroy(),
    stream(`${event(delivered)}${event(received)}${draining}`),
    // Half an event is none.
    stream(`${event(received)}event:signed\ndata:{"sta`),
    stream(`${event(received)}${event(signed)}${event(signed)}`),
  );
  assert.deepEqual(await followed(server), ['delivered', 'received', 'signed']);
  assert.equal(server.calls.length, 7);
});

test('an error says what is wrong with which field, and what the log calls the call', PATIENCE, async () => {
  const errors = [
    { pointer: '/messages/3', code: 'format', detail: 'no base64' },
    { parameter: 'state', code: 'of_later', detail: 'x', more: 1 },
    { header: 'Idempotency-Key', code: 'format', detail: 'no key' },
  ];
  const said = await script(problem(400, 'malformed', {}, { call_id: 'order-1042~', errors }));
  const error = await failure(new Countersign(said.url).sendToSign(KEY, MESSAGE));
  assert.ok(error instanceof client.InvalidRequestError);
  assert.deepEqual([error.call_id, error.errors], ['order-1042~', errors]);
  assert.equal(error.message, 'malformed: as it is (call order-1042~)');
  const unsaid = await script(problem(400, 'malformed'));
  const other = await failure(new Countersign(unsaid.url).sendToSign(KEY, MESSAGE));
  assert.deepEqual([other.call_id, other.errors, other.message], [undefined, [], 'malformed: as it is']);
  for (const [members, why] of table([
    [{ call_id: 'a\u001b[2J' }, /problem\.call_id has to be/],
    [{ call_id: 'x'.repeat(129) }, /problem\.call_id/],
    [{ errors: {} }, /problem\.errors has to be a list/],
    [{ errors: [{ code: 'type' }] }, /problem\.errors\[0\]\.detail/],
    [{ errors: [{ pointer: 1, code: 'type', detail: '' }] }, /problem\.errors\[0\]\.pointer/],
    [{ errors: [{ header: [], code: 'type', detail: '' }] }, /problem\.errors\[0\]\.header/],
  ])) {
    const server = await script(problem(400, 'malformed', {}, members));
    const error = await failure(new Countersign(server.url).sendToSign(KEY, MESSAGE));
    assert.ok(error instanceof client.ProtocolError, `${error.name} for ${why}`);
    assert.match(error.message, why);
  }
});

test('a stream that is none, or lies, is an error', PATIENCE, async () => {
  const rejectsWith = async (answer, Class, why) => {
    const server = await script(answer);
    const error = await failure(followed(server, { maxAnswerBytes: 10_000 }));
    assert.ok(error instanceof Class, `${error.name}: ${error.message}`);
    assert.match(error.message, why);
    assert.equal(error.request_id, ID);
  };
  await rejectsWith({ body: signedRequest() }, client.ProtocolError, /not text\/event-stream/);
  await rejectsWith(stream(event(signedRequest(), 'delivered')), client.ProtocolError, /another name/);
  await rejectsWith(stream(event(openRequest({ request_id: randomUUID() }))), client.ProtocolError, /another request/);
  await rejectsWith(stream('event:signed\ndata:{\n\n'), client.ProtocolError, /the event "signed" is no JSON/);
  await rejectsWith(stream(`data:${'x'.repeat(10_001)}`), client.ProtocolError, /longer than 10000/);
  await rejectsWith(stream('data:\n'.repeat(10_000)), client.ProtocolError, /longer than 10000/);
  await rejectsWith(stream(Buffer.from([0xff, 0x0a])), client.ProtocolError, /no UTF-8/);
  await rejectsWith(
    stream(event(signedRequest({ signature: sign(SEED, Buffer.from('x')).toString('base64') }))),
    client.VerificationError,
    /verify/,
  );
  await rejectsWith(problem(404, 'unknown_request'), client.UnknownRequestError, /unknown_request/);
});

test('one that ends again and again ends with an error, after pauses', PATIENCE, async () => {
  const clock = new TestClock();
  const server = await script(stream(''));
  assert.ok((await failure(followed(server, { clock }))) instanceof client.NetworkError);
  assert.ok(server.calls.length < 20, `${server.calls.length} calls`);
});

test('a follower that stops lets go of its stream', PATIENCE, async () => {
  let closed;
  const gone = new Promise((resolve) => (closed = resolve));
  const server = await fake((_call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event(openRequest()));
    response.on('close', closed);
  });
  for await (const { state } of new Countersign(server.url).follow(ID)) {
    assert.equal(state, 'delivered');
    break;
  }
  await gone;
  const abort = new AbortController();
  const states = new Countersign(server.url).follow(ID, { signal: abort.signal });
  await states.next();
  const next = states.next();
  abort.abort(new Error('enough'));
  await assert.rejects(next, /enough/);
});

test('what a client is made with is checked', () => {
  for (const server of ['', 'sign.example.com', 'ftp://x', 'http://user:secret@x', 'http://x?y', []]) {
    assert.throws(
      () => new Countersign(/** @type {any} */ (server)),
      (error) => error instanceof TypeError && !error.message.includes('secret'),
    );
  }
  for (const options of [{ timeout: 1 }, { patienceMs: 0 }, { patienceMs: '1' }, { exchangeTimeoutMs: Number.NaN }]) {
    assert.throws(() => new Countersign('http://x', /** @type {any} */ (options)), TypeError);
  }
});
