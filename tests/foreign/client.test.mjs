// The client of client.mjs, which knows the specification only, against the real server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ForeignWallet } from './client.mjs';
import { decodeBase64, introductionBytes, publicKeyOf, RESERVED_PREFIX, sign, verify } from './ed25519.mjs';
import { sendToSign, startServer } from './server.mjs';
import { WebSocketClient } from './websocket.mjs';

const refused = JSON.parse(readFileSync(new URL('../../protocol/vectors/refused.json', import.meta.url), 'utf8'));
const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');

// A hung test ends, a slow one does not.
const PATIENCE = { timeout: 120_000 };

let server;
/** What ends what the running test has started, however it went. */
const cleanups = [];
before(async () => (server = await startServer('--no-rate-limit')));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
after(() => server.stop());

/** A connection whose frames are awaited one by one. */
async function dial(url = server.ws, options = {}) {
  const socket = await WebSocketClient.connect(url, { protocol: 'countersign.v1', ...options });
  cleanups.push(() => socket.close());
  const queue = [];
  const waiting = [];
  const put = (item) => (waiting.shift() ?? ((late) => queue.push(late)))(item);
  socket.on('text', (text) => put(JSON.parse(text)));
  socket.on('close', (code) => put({ type: 'closed', code }));
  const next = () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { socket, next, send: (frame) => socket.send(JSON.stringify(frame)) };
}

/**
 * The introduction that answers `challenge`, with whatever `claims` says instead of the truth.
 *
 * @param {string} challenge
 * @param {{ seed?: Buffer, audience?: string, origin?: string, challenge?: Buffer, publicKey?: Buffer }} claims
 */
function introduction(challenge, claims = {}) {
  const said = { seed: SEED, audience: server.ws, origin: '', challenge: decodeBase64(challenge, 32), ...claims };
  const publicKey = claims.publicKey ?? publicKeyOf(said.seed);
  const proof = sign(said.seed, introductionBytes({ ...said, publicKey }));
  return { type: 'introduction', public_key: publicKey.toString('base64'), proof: proof.toString('base64') };
}

async function introduced(claims) {
  const connection = await dial();
  const { challenge } = await connection.next();
  connection.send(introduction(challenge, claims));
  assert.equal((await connection.next()).type, 'welcome');
  return connection;
}

/** Runs a wallet in this process until `closed`; `events.next()` is what it reports. */
function wallet(seed) {
  const queue = [];
  const waiting = [];
  const report = (event) => (waiting.shift() ?? ((late) => queue.push(late)))(event);
  const events = { next: () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve))) };
  const held = new ForeignWallet({ url: server.ws, seed, report });
  cleanups.push(() => held.close());
  return { held, events, closed: held.run() };
}

test('the program connects, signs what a backend asks for, and ends', PATIENCE, async () => {
  const program = fileURLToPath(new URL('client.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, server.ws, '--seed', SEED.toString('hex'), '--count', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => child.kill());
  const ended = new Promise((resolve) => child.on('close', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);

  const connected = await next();
  assert.equal(connected.event, 'connected');
  assert.equal(connected.public_key, publicKeyOf(SEED).toString('base64'));

  const message = Buffer.from('Pay 25 EUR to Alice');
  const answer = await sendToSign(server.http, {
    public_key: connected.public_key,
    message: message.toString('base64'),
    purpose: 'Order 1042',
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.ok(verify(publicKeyOf(SEED), message, decodeBase64(answer.body.signature, 64)));
  assert.deepEqual(
    [answer.body.public_key, answer.body.message, answer.body.approved_by],
    [connected.public_key, message.toString('base64'), 'policy:sign-everything'],
  );

  const asked = await next();
  assert.deepEqual([asked.event, asked.request_id, asked.purpose], ['asked', answer.body.request_id, 'Order 1042']);
  const acknowledged = await next();
  assert.deepEqual([acknowledged.event, acknowledged.outcome], ['acknowledged', 'accepted']);
  assert.equal(await ended, 0);
});

test('messages of every length are signed as they are', PATIENCE, async () => {
  const { held, events, closed } = wallet(randomBytes(32));
  assert.equal((await events.next()).event, 'connected');
  for (const length of [1, 2, 3, 125, 126, 65_535, 65_536]) {
    const message = randomBytes(length);
    const answer = await sendToSign(server.http, { public_key: held.publicKey.toString('base64'), message: message.toString('base64') });
    assert.equal(answer.status, 200, `${length}: ${JSON.stringify(answer.body)}`);
    assert.ok(verify(held.publicKey, message, decodeBase64(answer.body.signature, 64)), `${length}`);
  }
  held.close();
  await closed;
});

test('a proof over anything else is refused', PATIENCE, async () => {
  const { port } = new URL(server.http);
  const lies = [
    { challenge: randomBytes(32) },
    { audience: 'wss://sign.example.com/ws' },
    { audience: `ws://127.0.0.1:${port}/other` },
    { origin: 'https://evil.example' },
    { publicKey: publicKeyOf(randomBytes(32)) },
  ];
  for (const lie of lies) {
    const connection = await dial();
    connection.send(introduction((await connection.next()).challenge, lie));
    assert.equal((await connection.next()).code, 'proof_invalid', JSON.stringify(lie));
    assert.deepEqual(await connection.next(), { type: 'closed', code: 1008 });
  }
});

test('the origin of the handshake is part of the proof', PATIENCE, async () => {
  for (const [origin, type] of [
    ['https://app.example.com', 'welcome'],
    ['', 'error'],
  ]) {
    const connection = await dial(server.ws, { headers: { Origin: 'https://app.example.com' } });
    connection.send(introduction((await connection.next()).challenge, { origin }));
    assert.equal((await connection.next()).type, type, origin);
    connection.socket.close();
  }
});

test('a proof serves once', PATIENCE, async () => {
  const first = await dial();
  const { challenge } = await first.next();
  first.send(introduction(challenge));
  assert.equal((await first.next()).type, 'welcome');
  first.send(introduction(challenge));
  assert.equal((await first.next()).code, 'already_introduced');
  first.socket.close();

  const second = await dial();
  await second.next();
  second.send(introduction(challenge));
  assert.equal((await second.next()).code, 'proof_invalid');
});

test('a bare introduction is refused', PATIENCE, async () => {
  const connection = await dial();
  const { proof, ...bare } = introduction((await connection.next()).challenge);
  connection.send(bare);
  assert.equal((await connection.next()).code, 'proof_required');
  assert.deepEqual(await connection.next(), { type: 'closed', code: 1008 });
});

test('nothing but an introduction and a ping counts before the welcome', PATIENCE, async () => {
  const connection = await dial();
  assert.equal((await connection.next()).type, 'challenge');
  connection.send({ type: 'ping', t: 7 });
  assert.deepEqual(await connection.next(), { type: 'pong', t: 7 });
  connection.send({ type: 'request_status', request_id: '0b2f1c1e-7a64-4d6e-9b0a-5f0f4b1c2d3e', state: 'received' });
  assert.equal((await connection.next()).code, 'introduction_required');
  connection.socket.sendBinary(Buffer.from('{}'));
  assert.equal((await connection.next()).code, 'binary_frame');
  assert.deepEqual(await connection.next(), { type: 'closed', code: 1003 });
});

test('every refused key is refused by the server', PATIENCE, async () => {
  for (const { name, public_key, code } of refused.public_keys) {
    const connection = await dial();
    await connection.next();
    connection.send({ type: 'introduction', public_key, proof: Buffer.alloc(64).toString('base64') });
    assert.equal((await connection.next()).code, code, name);
    connection.socket.close();
  }
});

test('every refused frame is answered by its code', PATIENCE, async () => {
  let connection;
  for (const [n, { name, text, code }] of refused.frames.filter(({ direction }) => direction === 'client_to_server').entries()) {
    // Sixteen errors end a connection.
    if (n % 10 === 0) {
      connection?.socket.close();
      connection = await introduced();
    }
    connection.socket.send(typeof text === 'string' ? text : text.map(([piece, times]) => piece.repeat(times)).join(''));
    assert.equal((await connection.next()).code, code, name);
    if (code === 'frame_too_large') connection = await introduced();
  }
  connection.socket.close();
});

test('the sixteenth error ends the connection', PATIENCE, async () => {
  const connection = await introduced();
  for (let n = 1; n <= 15; n++) {
    connection.send({});
    assert.equal((await connection.next()).code, 'malformed');
  }
  connection.send({});
  assert.equal((await connection.next()).code, 'too_many_errors');
  assert.deepEqual(await connection.next(), { type: 'closed', code: 1008 });
});

test('answers that are not in order are told so, and the backend gets none of them', PATIENCE, async () => {
  const seed = randomBytes(32);
  const connection = await introduced({ seed });
  const public_key = publicKeyOf(seed).toString('base64');
  const ask = async () => {
    const answer = sendToSign(server.http, { public_key, message: Buffer.from('yes').toString('base64') });
    return { answer, request: await connection.next() };
  };
  const respond = (request, message, signature = sign(seed, message)) => {
    const { request_id } = request;
    connection.send({ type: 'sign_response', request_id, message: message.toString('base64'), signature: signature.toString('base64') });
  };

  const wrong = await ask();
  assert.deepEqual([wrong.request.type, wrong.request.attempt], ['sign_request', 1]);
  respond(wrong.request, Buffer.from('yes'), Buffer.alloc(64));
  assert.equal((await connection.next()).outcome, 'bad_signature');
  respond(wrong.request, Buffer.from('yes'));
  assert.equal((await connection.next()).outcome, 'duplicate');
  assert.equal((await wrong.answer).status, 502);

  const other = await ask();
  respond(other.request, Buffer.from('no'));
  assert.equal((await connection.next()).outcome, 'message_mismatch');
  assert.equal((await other.answer).status, 502);

  respond({ request_id: '0b2f1c1e-7a64-4d6e-9b0a-5f0f4b1c2d3e' }, Buffer.from('yes'));
  assert.equal((await connection.next()).outcome, 'unknown');

  const declined = await ask();
  connection.send({ type: 'sign_reject', request_id: declined.request.request_id, code: 'locked', reason: 'later', scope: 'key' });
  assert.equal((await connection.next()).outcome, 'accepted');
  const { status, body } = await declined.answer;
  assert.deepEqual([status, body.code, body.reject_code, body.reason], [403, 'rejected', 'locked', 'later']);
  connection.socket.close();
});

test('a backend that hangs up has its request withdrawn, and a late answer is told so', PATIENCE, async () => {
  const seed = randomBytes(32);
  const connection = await introduced({ seed });
  const hangUp = new AbortController();
  const message = Buffer.from('never mind');
  const asked = { public_key: publicKeyOf(seed).toString('base64'), message: message.toString('base64') };
  const answer = sendToSign(server.http, asked, hangUp.signal).catch((error) => error.name);
  const { request_id } = await connection.next();
  hangUp.abort();
  assert.equal(await answer, 'AbortError');
  assert.deepEqual(await connection.next(), { type: 'request_cancel', request_id, cause: 'cancelled' });
  connection.send({
    type: 'sign_response',
    request_id,
    message: message.toString('base64'),
    signature: sign(seed, message).toString('base64'),
  });
  assert.deepEqual(await connection.next(), { type: 'response_ack', request_id, outcome: 'late' });
  connection.socket.close();
});

test('a backend cannot have a proof signed', PATIENCE, async () => {
  const { held, events, closed } = wallet(randomBytes(32));
  await events.next();
  const message = Buffer.concat([RESERVED_PREFIX, Buffer.from('v1/introduction\0')]).toString('base64');
  const { status, body } = await sendToSign(server.http, { public_key: held.publicKey.toString('base64'), message });
  assert.deepEqual([status, body.code], [400, 'reserved_prefix']);
  held.close();
  await closed;
});

test('two devices are both asked, the first wins, the other is told', PATIENCE, async () => {
  const seed = randomBytes(32);
  const silent = await introduced({ seed });
  const { held, events, closed } = wallet(seed);
  await events.next();
  const message = Buffer.from('first come').toString('base64');
  const answer = await sendToSign(server.http, { public_key: held.publicKey.toString('base64'), message });
  assert.equal(answer.status, 200);
  const request = await silent.next();
  assert.deepEqual([request.type, request.message], ['sign_request', message]);
  assert.deepEqual(await silent.next(), { type: 'request_cancel', request_id: request.request_id, cause: 'answered_elsewhere' });
  silent.socket.close();
  held.close();
  await closed;
});

test('silence is pinged by the server and answered by the wallet, and a stop says goodbye', PATIENCE, async () => {
  const own = await startServer('--heartbeat-ms', '2000', '--no-rate-limit');
  cleanups.push(own.stop);
  const events = [];
  const beats = new EventEmitter();
  const report = (event) => (event.event === 'heartbeat' ? beats.emit('beat') : events.push(event));
  const held = new ForeignWallet({ url: own.ws, report });
  const closed = held.run();
  // Three heartbeats: a wallet that answered none of them would be gone after two.
  for (let beat = 1; beat <= 3; beat++) await Promise.race([once(beats, 'beat'), closed]);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['connected'],
  );
  assert.equal(await own.stop(), 0);
  assert.deepEqual(await closed, { code: 1012, reason: 'shutdown' });
  assert.deepEqual([events[1].event, events[1].reason], ['goodbye', 'shutdown']);
});
