// The client against the real server.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { inspect } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { startServer } from '../../../tests/foreign/server.mjs';
import * as client from '../dist/index.js';
import { Cleanups, PATIENCE, portOf, Queue, Wallet, World } from './world.mjs';

const { Countersign } = client;
const MESSAGE = new TextEncoder().encode('Pay 25 EUR to Alice');
const cleanups = new Cleanups();
const hooks = new Queue();
let hook;
let receiver;
let world;

before(async () => {
  receiver = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    response.writeHead(204).end();
    hooks.push({ headers: request.headers, body });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  hook = `http://127.0.0.1:${portOf(receiver)}/hook`;
  world = await World.start('--no-rate-limit', '--webhook-target', hook);
});
afterEach(() => cleanups.run());
after(async () => {
  await world.stop();
  receiver.closeAllConnections();
  receiver.close();
});

/** A wallet that has connected. */
async function wallet(decide, url = world.ws) {
  const connected = await new Wallet(url, decide).connect();
  cleanups.add(() => connected.close());
  return connected;
}

const rejects = (promise, Class, members) =>
  assert.rejects(promise, (/** @type {any} */ error) => {
    assert.ok(error instanceof Class, `${error?.name}: ${error?.message}`);
    for (const [name, value] of Object.entries(members)) assert.equal(error[name], value, name);
    return true;
  });

test('a signature comes back verified, and holds by other means too', PATIENCE, async () => {
  const asked = await wallet();
  const signed = await new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE, { purpose: 'Order 1042' });
  assert.deepEqual(
    [signed.public_key, signed.approved_by, signed.device],
    [asked.publicKey, 'human', { id: 'test', label: 'Test wallet' }],
  );
  assert.deepEqual(signed.message, MESSAGE);
  assert.ok((signed.times.ended_ms ?? 0) >= signed.times.queued_ms);
  const x = Buffer.from(asked.publicKey, 'base64').toString('base64url');
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  assert.ok(verify(null, MESSAGE, key, signed.signature));
  const { purpose, request_id } = await asked.asked.next();
  assert.deepEqual([purpose, request_id], ['Order 1042', signed.request_id]);
});

test('what a request is called comes back with it, and goes to no wallet', PATIENCE, async () => {
  const asked = await wallet();
  const server = new Countersign(world.url);
  const given = { reference: 'order-1042', metadata: { shop: 'Göteborg' } };
  const submitted = await server.submit(asked.publicKey, MESSAGE, { ...given, idempotencyKey: 'found-again' });
  const { reference, metadata } = await submitted.wait();
  assert.deepEqual({ reference, metadata }, given);
  const frame = await asked.asked.next();
  assert.deepEqual([frame.reference, frame.metadata], [undefined, undefined]);
  await rejects(server.submit(asked.publicKey, MESSAGE, { idempotencyKey: 'found-again' }), client.IdempotencyKeyReusedError, {});
  await rejects(server.submit(asked.publicKey, MESSAGE, { reference: '' }), client.InvalidRequestError, { code: 'invalid_reference' });
  await rejects(server.submit(asked.publicKey, MESSAGE, { metadata: { 'a b': '' } }), client.InvalidRequestError, {
    code: 'invalid_metadata',
  });
});

test('a request takes the place of an open one, and of no other', PATIENCE, async () => {
  const server = new Countersign(world.url);
  const silent = await wallet(() => 'silent');
  const old = await server.submit(silent.publicKey, MESSAGE);
  const instead = await server.submit(silent.publicKey, MESSAGE, { replaces: old.request_id, idempotencyKey: randomUUID() });
  assert.deepEqual([(await old.wait()).state, instead.request.state === 'cancelled'], ['cancelled', false]);
  const refused = await server.submit(silent.publicKey, MESSAGE, { replaces: old.request_id }).catch((error) => error);
  assert.ok(refused instanceof client.ReplacedRequestEndedError);
  assert.deepEqual([refused.code, refused.status, refused.replaced], ['replaced_request_ended', 409, await server.get(old.request_id)]);
  await rejects(server.submit(silent.publicKey, MESSAGE, { replaces: randomUUID() }), client.UnknownRequestError, {
    code: 'unknown_request',
  });
  const several = server.submitBatch(silent.publicKey, [MESSAGE], { replaces: instead.request_id });
  await rejects(several, client.InvalidRequestError, { code: 'malformed' });
  assert.equal((await server.cancel(instead.request_id)).state, 'cancelled');
});

test('requests are found again, looked at and withdrawn several at a time', PATIENCE, async () => {
  const server = new Countersign(world.url);
  const silent = await wallet(() => 'silent');
  const reference = `order ${randomUUID()}+`;
  const batch = await server.submitBatch(silent.publicKey, [MESSAGE, MESSAGE], { reference });
  const single = await server.submit(silent.publicKey, MESSAGE, { reference, idempotencyKey: reference.replaceAll(' ', '-') });
  const ids = async (/** @type {client.ListOptions} */ options) => {
    const found = [];
    for await (const { request_id } of server.list(options)) found.push(request_id);
    return found;
  };
  const of = (/** @type {client.Submitted[]} */ submitted) => submitted.map(({ request_id }) => request_id).sort();
  assert.deepEqual((await ids({ reference, pageSize: 1 })).sort(), of([...batch, single]));
  assert.deepEqual(await ids({ idempotencyKey: reference.replaceAll(' ', '-') }), [single.request_id]);
  assert.deepEqual(await ids({ reference, state: 'signed' }), []);
  assert.deepEqual((await ids({ publicKey: new Uint8Array(Buffer.from(silent.publicKey, 'base64')) })).sort(), of([...batch, single]));
  const batchId = batch[0]?.request.batch?.id ?? '';
  assert.deepEqual((await ids({ batchId, createdAfterMs: 1, createdBeforeMs: 2 ** 52 })).sort(), of(batch));

  const shown = await server.batch(batchId);
  assert.deepEqual([shown.state, shown.requests.map(({ request_id }) => request_id)], ['open', batch.map(({ request_id }) => request_id)]);
  const withdrawn = await server.cancelBatch(batchId);
  assert.deepEqual([withdrawn.state, withdrawn.requests.map(({ state }) => state)], ['ended', ['cancelled', 'cancelled']]);
  assert.deepEqual(await server.cancelAll({ reference }), { cancelled: 1, has_more: false });
  assert.deepEqual(await server.cancelAll({ reference, state: 'open' }), { cancelled: 0, has_more: false });
  await rejects(server.cancelAll({ state: 'open' }), client.InvalidRequestError, { code: 'malformed' });
  await rejects(server.batch(randomUUID()), client.UnknownRequestError, { code: 'unknown_request' });
  await rejects(ids({ pageSize: 101 }), client.InvalidRequestError, { code: 'malformed' });
  await assert.rejects(ids(/** @type {any} */ ({ limit: 1 })), /there is no option limit/);
});

test('a key may be spelled in any way, and given as bytes', PATIENCE, async () => {
  let asked = await wallet();
  // One key of a hundred reads as base58 as well, and is refused for that.
  const isAmbiguous = () => /^[1-9A-HJ-NP-Za-km-z]+$/.test(Buffer.from(asked.publicKey, 'base64').toString('base64url'));
  while (isAmbiguous()) asked = await wallet();
  const bytes = Buffer.from(asked.publicKey, 'base64');
  for (const key of [bytes.toString('base64url'), bytes.toString('hex'), new Uint8Array(bytes)]) {
    assert.equal((await new Countersign(world.url).sendToSign(key, MESSAGE)).public_key, asked.publicKey);
  }
});

test('each end without a signature is an error of its own', PATIENCE, async () => {
  const server = new Countersign(world.url);
  const no = await wallet(() => ({ code: 'user_rejected', reason: 'not this time' }));
  await rejects(server.sendToSign(no.publicKey, MESSAGE), client.RejectedError, {
    code: 'rejected',
    reject_code: 'user_rejected',
    reason: 'not this time',
    request_id: no.prompts[0] ?? (await no.asked.next()).request_id,
  });
  const silent = await wallet(() => 'silent');
  await rejects(server.sendToSign(silent.publicKey, MESSAGE, { timeoutMs: 1_000 }), client.ExpiredError, {
    code: 'timeout',
    phase: 'received',
  });
  silent.close();
  await rejects(
    server.sendToSign(new Uint8Array(Buffer.from(new Wallet(world.ws).publicKey, 'base64')), MESSAGE),
    client.SignerNotConnectedError,
    {
      code: 'signer_not_connected',
      status: 404,
    },
  );
  await rejects(server.sendToSign(no.publicKey, new Uint8Array()), client.InvalidRequestError, { code: 'invalid_message', status: 400 });
  await rejects(server.sendToSign('nonsense', MESSAGE), client.InvalidRequestError, { code: 'invalid_public_key' });
  const told = await server.submit(no.publicKey, new Uint8Array(), { purpose: ' ', reference: 'a\n' }).catch((error) => error);
  assert.deepEqual(
    told.errors.map(({ pointer, code }) => [pointer, code]),
    [
      ['/message', 'format'],
      ['/purpose', 'format'],
      ['/reference', 'format'],
    ],
  );
  assert.match(told.message, new RegExp(`\\(call ${told.call_id}\\)$`));
  await rejects(server.get(randomUUID()), client.UnknownRequestError, { code: 'unknown_request' });
  await assert.rejects(server.sendToSign(no.publicKey, /** @type {any} */ ('text')), TypeError);
  await assert.rejects(
    server.sendToSign(no.publicKey, MESSAGE, /** @type {any} */ ({ timeout_ms: 1_000 })),
    /there is no option timeout_ms/,
  );
});

for (const durable of [true, false]) {
  test(`of several messages each has a result of its own, durable: ${durable}`, PATIENCE, async () => {
    let count = 0;
    const asked = await wallet(() => (count++ === 1 ? { code: 'user_rejected' } : 'sign'));
    const messages = ['one', 'two', 'three'].map((text) => new TextEncoder().encode(text));
    const results = await new Countersign(world.url, { durable }).sendToSignBatch(asked.publicKey, messages);
    assert.deepEqual(
      results.map((result) => (result instanceof client.CountersignError ? result.code : Buffer.from(result.message).toString())),
      ['one', 'rejected', 'three'],
    );
    assert.ok(results[1] instanceof client.RejectedError);
  });
}

test('a request is submitted, looked at, followed, withdrawn', PATIENCE, async () => {
  const server = new Countersign(world.url);
  const asked = await wallet(() => 'silent');
  const submitted = await server.submit(asked.publicKey, MESSAGE);
  const frame = await asked.asked.next();
  const states = submitted.follow();
  const first = /** @type {client.RequestResource} */ ((await states.next()).value);
  assert.equal(first.request_id, frame.request_id);
  assert.equal((await submitted.wait({ seconds: 0 })).state, (await server.get(submitted.request_id)).state);
  await rejects(submitted.receipt(), client.NotEndedError, { code: 'not_ended', request_id: frame.request_id });
  asked.answer(frame, 'sign');
  const seen = [first.state];
  for await (const { state } of states) seen.push(state);
  assert.equal(seen.at(-1), 'signed');
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual((await submitted.result()).message, MESSAGE);
  assert.equal((await submitted.cancel()).state, 'signed');

  const withdrawn = await server.submit(asked.publicKey, MESSAGE);
  assert.equal((await server.cancel(withdrawn.request_id)).state, 'cancelled');
  assert.equal((await asked.cancelled.next()).request_id, withdrawn.request_id);
  await rejects(withdrawn.result(), client.CancelledError, { code: 'cancelled', request_id: withdrawn.request_id });
  assert.equal((await server.wait(withdrawn.request_id)).state, 'cancelled');
});

test('several are submitted in one prompt', PATIENCE, async () => {
  const asked = await wallet();
  const submitted = await new Countersign(world.url).submitBatch(asked.publicKey, [MESSAGE, new Uint8Array([1])]);
  const signed = await Promise.all(submitted.map((one) => one.result()));
  assert.deepEqual(
    signed.map(({ message }) => message.length),
    [MESSAGE.length, 1],
  );
});

test('a request may wait for its wallet', PATIENCE, async () => {
  const later = new Wallet(world.ws);
  cleanups.add(() => later.close());
  const server = new Countersign(world.url);
  assert.equal((await server.signer(later.publicKey)).connected, false);
  const submitted = await server.submit(later.publicKey, MESSAGE, { queue: true });
  assert.equal(submitted.request.state, 'queued');
  await later.connect();
  await submitted.result();
  assert.deepEqual(await server.signer(later.publicKey), { public_key: later.publicKey, connected: true, connections: 1 });
});

test('the same idempotency key is the same request', PATIENCE, async () => {
  const asked = await wallet();
  const idempotencyKey = randomUUID();
  const [one, two] = [new Countersign(world.url), new Countersign(world.url)];
  const first = await one.sendToSign(asked.publicKey, MESSAGE, { idempotencyKey });
  assert.equal((await two.sendToSign(asked.publicKey, MESSAGE, { idempotencyKey })).request_id, first.request_id);
  assert.equal(asked.prompts.length, 1);
  await rejects(two.sendToSign(asked.publicKey, new Uint8Array([1]), { idempotencyKey }), client.IdempotencyKeyReusedError, {
    status: 422,
  });
});

test('an answer that is cut off is asked for again, and the human is not', PATIENCE, async () => {
  const asked = await wallet();
  world.proxy.cutAnswers = 2;
  const signed = await new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE);
  assert.equal(world.proxy.cutAnswers, 0);
  assert.deepEqual(asked.prompts, [signed.request_id]);
});

test('a call whose answer never comes through is taken up again under the key that its error names', PATIENCE, async () => {
  const asked = await wallet();
  world.proxy.cutAnswers = Infinity;
  const error = await new Countersign(world.url, { patienceMs: 300 }).sendToSign(asked.publicKey, MESSAGE).catch((failed) => failed);
  world.proxy.cutAnswers = 0;
  assert.ok(error instanceof client.NetworkError);
  const again = await new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE, { idempotencyKey: error.idempotency_key });
  assert.deepEqual(asked.prompts, [again.request_id]);
});

test('without durability a cut answer is an error, and nothing is asked again', PATIENCE, async () => {
  const asked = await wallet();
  world.proxy.cutAnswers = 1;
  const call = new Countersign(world.url, { durable: false }).sendToSign(asked.publicKey, MESSAGE);
  await rejects(call, client.NetworkError, { code: 'network', sent: true });
  assert.equal(asked.prompts.length, 1);
});

for (const durable of [true, false]) {
  test(`an aborted call withdraws its request, durable: ${durable}`, PATIENCE, async () => {
    const asked = await wallet(() => 'silent');
    const abort = new AbortController();
    const call = new Countersign(world.url, { durable }).sendToSign(asked.publicKey, MESSAGE, { signal: abort.signal });
    const { request_id } = await asked.asked.next();
    abort.abort(new Error('the user has gone'));
    await assert.rejects(call, /the user has gone/);
    assert.equal((await asked.cancelled.next()).request_id, request_id);
  });
}

test('a call that is aborted while it is being accepted withdraws its request all the same', PATIENCE, async () => {
  const asked = await wallet(() => 'silent');
  const abort = new AbortController();
  // The wallet may have the request already, and the answer that would have told its id is lost.
  world.proxy.cutAnswers = 1;
  world.proxy.once('cut', () => abort.abort());
  await assert.rejects(new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE, { signal: abort.signal }), { name: 'AbortError' });
  const { request_id } = await asked.asked.next();
  assert.equal((await asked.cancelled.next()).request_id, request_id);
  assert.deepEqual(asked.prompts, [request_id]);
});

test('a call that is too late to be made is not made', PATIENCE, async () => {
  const asked = await wallet();
  await assert.rejects(new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
  assert.deepEqual(asked.prompts, []);
});

test('after its deadline a call gives up, and its request is withdrawn', PATIENCE, async () => {
  const asked = await wallet(() => 'silent');
  await rejects(new Countersign(world.url).sendToSign(asked.publicKey, MESSAGE, { deadlineMs: 200 }), client.DeadlineError, {
    code: 'deadline',
  });
  assert.equal((await asked.cancelled.next()).request_id, asked.prompts[0]);
});

for (const end of ['kill', 'terminate']) {
  test(
    `a server that ends in the midst of it (${end}) ends nothing: one prompt, one request, and everybody is told`,
    PATIENCE,
    async () => {
      const own = await World.start('--no-rate-limit');
      cleanups.add(() => own.stop());
      const asked = await wallet(() => 'silent', own.ws);
      const server = new Countersign(own.url);
      const call = server.sendToSign(asked.publicKey, MESSAGE);
      const frame = await asked.asked.next();
      const states = [];
      const following = (async () => {
        for await (const { state } of server.follow(frame.request_id)) states.push(state);
      })();
      const waiting = server.wait(frame.request_id);
      await own[end]();
      await own.startServer();
      await asked.connect();
      asked.answer(frame, 'sign');
      const signed = await call;
      await following;
      assert.equal(signed.request_id, frame.request_id);
      assert.equal((await waiting).signature, Buffer.from(signed.signature).toString('base64'));
      assert.deepEqual(asked.prompts, [frame.request_id]);
      assert.equal(states.at(-1), 'signed');
      assert.equal(new Set(states).size, states.length);
    },
  );
}

test('a server without a store is asked without a key, and a call that needs one says so', PATIENCE, async () => {
  const bare = await startServer('--no-rate-limit');
  cleanups.add(() => bare.stop());
  const calls = [];
  const server = new Countersign(bare.http, {
    fetch: (input, init) => {
      calls.push(new Headers(init?.headers).get('idempotency-key') !== null);
      return fetch(input, init);
    },
  });
  const asked = await wallet(undefined, bare.ws);
  for (let count = 0; count < 2; count++) await server.sendToSign(asked.publicKey, MESSAGE);
  // What it has been told it remembers.
  assert.deepEqual(calls, [true, false, false]);
  await rejects(server.sendToSign(asked.publicKey, MESSAGE, { idempotencyKey: 'mine' }), client.NoStoreError, { code: 'no_store' });
  await rejects(server.submit(asked.publicKey, MESSAGE), client.NoStoreError, { status: 501 });
  assert.equal(asked.prompts.length, 2);
});

test('the next of several servers is called where one cannot be reached', PATIENCE, async () => {
  const asked = await wallet();
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const nobody = `http://127.0.0.1:${portOf(gone)}`;
  gone.close();
  await once(gone, 'close');
  await new Countersign([nobody, world.url], { durable: false }).sendToSign(asked.publicKey, MESSAGE);
  await rejects(new Countersign(nobody, { patienceMs: 300 }).signer(asked.publicKey), client.NetworkError, { sent: false });
});

test('a receipt and a webhook are verified, and none that has been changed', PATIENCE, async () => {
  const server = new Countersign(world.url);
  const asked = await wallet();
  const signed = await server.sendToSign(asked.publicKey, MESSAGE, { webhook: hook, purpose: 'Order 1042' });
  const { headers, body } = await hooks.next();
  const event = /** @type {client.RequestEndedEvent} */ (await server.verifyWebhook(body, headers));
  assert.deepEqual([event.type, event.data.request_id, event.data.state], ['request.ended', signed.request_id, 'signed']);

  const about = { message: MESSAGE, publicKey: asked.publicKey, requestId: signed.request_id.toUpperCase() };
  const jws = await server.receipt(signed.request_id);
  const claims = await server.verifyReceipt(jws, about);
  assert.deepEqual([claims.state, claims.purpose, claims.approved_by], ['signed', 'Order 1042', 'human']);
  const keys = await server.jwks();
  assert.deepEqual(await client.verifyReceipt(jws, keys, about), claims);
  await client.verifyWebhook(body.toString(), new Headers(/** @type {any} */ (headers)), /** @type {string} */ (keys.webhook_public_key));

  for (const other of [{ message: new Uint8Array([1]) }, { publicKey: new Uint8Array(32) }, { requestId: randomUUID() }, { issuer: 'x' }]) {
    await assert.rejects(client.verifyReceipt(jws, keys, other), client.VerificationError);
  }
  for (let at = 0; at < jws.length; at++) {
    const changed = `${jws.slice(0, at)}${jws[at] === 'A' ? 'B' : 'A'}${jws.slice(at + 1)}`;
    await assert.rejects(client.verifyReceipt(changed, keys), client.VerificationError, `at ${at}`);
  }
  for (let at = 0; at < body.length; at++) {
    const changed = Buffer.from(body);
    changed[at] ^= 1;
    await assert.rejects(client.verifyWebhook(changed, headers, keys), client.VerificationError, `at ${at}`);
  }
});

test('a webhook is verified by the library of Standard Webhooks, with each of the secrets', PATIENCE, async () => {
  const secrets = [24, 32, 64].map((length) => `whsec_${randomBytes(length).toString('base64')}`);
  const folder = await mkdtemp(join(tmpdir(), 'countersign-client-'));
  cleanups.add(() => rm(folder, { recursive: true }));
  const [config, file] = [join(folder, 'countersign.toml'), join(folder, 'secrets')];
  await writeFile(file, `${secrets.join('\n')}\n`, { mode: 0o600 });
  await writeFile(config, `[[webhook]]\nurl = "${hook}"\nsecrets_file = "${file}"\nbatches = "together"\n`);
  const signing = await World.start('--no-rate-limit', '--config', config);
  cleanups.add(() => signing.stop());
  const asked = await wallet(() => 'sign', signing.ws);
  const server = new Countersign(signing.url);
  const signed = await server.sendToSign(asked.publicKey, MESSAGE, { webhook: hook });
  const { headers, body } = await hooks.next();
  for (const secret of secrets) {
    const told = /** @type {any} */ (new Webhook(secret).verify(body, headers));
    assert.deepEqual([told.type, told.data.request_id], ['request.ended', signed.request_id]);
    const event = /** @type {client.RequestEndedEvent} */ (await client.verifyWebhook(body, headers, secret));
    assert.equal(event.data.request_id, signed.request_id);
  }
  // The library knows secrets alone; the key is for this client, or the lines of docs/http-api.md.
  const byKey = /** @type {client.RequestEndedEvent} */ (await server.verifyWebhook(body, headers));
  assert.equal(byKey.data.request_id, signed.request_id);

  // The target is told of a batch at once.
  const results = await server.sendToSignBatch(asked.publicKey, [MESSAGE, new Uint8Array([1])], { webhook: hook });
  const ids = results.map((result) => (result instanceof Error ? result.code : result.request_id));
  const batch = await hooks.next();
  const heard = /** @type {any} */ (new Webhook(/** @type {string} */ (secrets[0])).verify(batch.body, batch.headers));
  const all = /** @type {client.BatchEndedEvent} */ (await server.verifyWebhook(batch.body, batch.headers));
  for (const { type, data } of [heard, all]) {
    assert.deepEqual([type, data.state], ['batch.ended', 'ended']);
    assert.deepEqual(
      data.requests.map((/** @type {client.RequestResource} */ request) => request.request_id),
      ids,
    );
  }
  const other = `whsec_${randomBytes(32).toString('base64')}`;
  const changed = Buffer.from(body);
  changed[changed.length - 3] ^= 1;
  assert.throws(() => new Webhook(other).verify(body, headers), /No matching signature/);
  assert.throws(() => new Webhook(secrets[0]).verify(changed, headers), /No matching signature/);
  await assert.rejects(client.verifyWebhook(body, headers, other), client.UnknownKeyError);
});

test('a token is sent, and no error tells it', PATIENCE, async () => {
  const token = `cs_${'5'.repeat(64)}`;
  const folder = await mkdtemp(join(tmpdir(), 'countersign-client-'));
  cleanups.add(() => rm(folder, { recursive: true }));
  const sha256 = createHash('sha256').update(token).digest('hex');
  await writeFile(join(folder, 'tokens.toml'), `[[token]]\nid = "bank"\nname = "Example Bank"\nsha256 = "${sha256}"\n`);
  const guarded = await startServer('--no-rate-limit', '--config', join(folder, 'tokens.toml'));
  cleanups.add(() => guarded.stop());
  const key = new Wallet(guarded.ws).publicKey;
  assert.equal((await new Countersign(guarded.http, { token }).signer(key)).connected, false);
  for (const wrong of [undefined, `${token}6`]) {
    const server = new Countersign(guarded.http, { token: wrong });
    const error = await server.signer(key).catch((failed) => failed);
    assert.ok(error instanceof client.UnauthorizedError);
    assert.deepEqual([error.code, error.status], ['unauthorized', 401]);
    assert.ok(!inspect([error, server], { depth: 9, showHidden: true }).includes(token));
  }
  for (const broken of [`${token}\n`, 'a b', '']) {
    assert.throws(
      () => new Countersign(guarded.http, { token: broken }),
      (error) => error instanceof TypeError && !inspect(error).includes(token),
    );
  }
});
