import assert from 'node:assert/strict';
import { test } from 'node:test';
import { became, cleanups, code, connected, event, setUp, state, untilPong, welcomed } from './bench.mjs';
import { Key, Wallet } from './package.mjs';
import { FakeServer, holds, introductionBytes } from './server.mjs';

test('introduces itself with a proof that OpenSSL verifies', async () => {
  const { server, key, wallet } = await setUp({ device: { id: 'a1', label: 'Test bench' } });
  const states = [];
  wallet.on('state', (event) => states.push(event));
  assert.equal(wallet.state, 'idle');
  const connecting = wallet.connect();
  const peer = await server.peer();
  assert.equal(peer.protocol, 'countersign.v1');
  const { challenge, introduction, connectionId } = await peer.welcome();
  await connecting;
  assert.equal(introduction.public_key, key.publicKey);
  assert.equal(wallet.publicKey, key.publicKey);
  assert.deepEqual(introduction.device, { id: 'a1', label: 'Test bench' });
  const signed = introductionBytes({ challenge, publicKey: key.publicKey, audience: server.url, origin: '' });
  assert.ok(holds(key.publicKey, signed, introduction.proof));
  assert.deepEqual(states, [{ state: 'connecting' }, { state: 'introducing' }, { state: 'connected', connectionId }]);
  assert.equal(wallet.state, 'connected');
  await wallet.connect();
});

test('the audience is the URL without query, and http stands for ws', async () => {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  const key = await Key.generate();
  const wallet = new Wallet({ key, url: `${server.url.replace('ws:', 'http:')}?tab=1#top` });
  cleanups.push(() => wallet.close());
  const connecting = wallet.connect();
  const { challenge, introduction } = await (await server.peer()).welcome();
  await connecting;
  const signed = introductionBytes({ challenge, publicKey: key.publicKey, audience: server.url, origin: '' });
  assert.ok(holds(key.publicKey, signed, introduction.proof));
  assert.match(introduction.device.label, /^Node\.js \d+ on /);
});

test('a request is shown, approved, signed and acknowledged', async () => {
  const { wallet, peer, requests, key } = await connected();
  const message = Buffer.from('Pay 25 EUR to Alice');
  const before = Date.now();
  peer.send('sign_request', {
    request_id: '0b2f1c1e-7a64-4d6e-9b0a-5f0f4b1c2d3e',
    message: message.toString('base64'),
    expires_in_ms: 60_000,
    attempt: 1,
    requester: { name: 'Example Shop' },
    purpose: 'Order 1042',
  });
  const id = '0b2f1c1e-7a64-4d6e-9b0a-5f0f4b1c2d3e';
  assert.deepEqual(await peer.next('request_status'), { type: 'request_status', request_id: id, state: 'received' });
  await new Promise(setImmediate);
  const [request] = requests;
  assert.equal(request.id, id);
  assert.deepEqual(Buffer.from(request.message), message);
  assert.ok(request.message instanceof Uint8Array);
  assert.equal(request.requester.name, 'Example Shop');
  assert.equal(request.purpose, 'Order 1042');
  assert.equal(request.attempt, 1);
  assert.ok(request.expiresAt >= before + 60_000 && request.expiresAt <= Date.now() + 60_000);
  assert.ok(request.remainingMs > 50_000);
  assert.deepEqual(wallet.requests, [request]);

  request.displayed();
  request.displayed();
  const changes = [];
  request.on('change', () => changes.push(request.state));
  const approved = request.approve();
  assert.equal(request.state, 'answered');
  assert.equal((await peer.next('request_status')).state, 'displayed');
  const response = await peer.next('sign_response');
  assert.equal(response.message, message.toString('base64'));
  assert.equal(response.approved_by, 'human');
  assert.ok(holds(key.publicKey, message, response.signature));
  await assert.rejects(request.approve(), code('already_answered'));
  peer.acknowledge(id, 'accepted');
  await approved;
  assert.deepEqual(changes, ['answered', 'accepted']);
  assert.deepEqual(wallet.requests, []);
  assert.equal(request.signal.aborted, false);
});

test('a rejection carries code, reason and scope', async () => {
  const { peer, requests } = await connected();
  /** @type {[string | import('countersign').Rejection | undefined, object][]} */
  const cases = [
    [undefined, { code: 'user_rejected', scope: 'key' }],
    ['not mine', { code: 'user_rejected', reason: 'not mine', scope: 'key' }],
    [
      { code: 'policy_rejected', reason: 'limit', scope: 'device' },
      { code: 'policy_rejected', reason: 'limit', scope: 'device' },
    ],
  ];
  for (const [given, expected] of cases) {
    const id = await peer.ask('hello');
    const request = requests[requests.length - 1];
    const rejected = request.reject(given);
    assert.deepEqual(await peer.next('sign_reject'), { type: 'sign_reject', request_id: id, ...expected });
    peer.acknowledge(id, 'accepted');
    await rejected;
    assert.equal(request.state, 'declined');
  }
  await peer.ask('hello');
  const last = requests[requests.length - 1];
  await assert.rejects(last.reject('x'.repeat(257)), code('invalid_answer'));
  await assert.rejects(last.reject('line\nbreak'), code('invalid_answer'));
  // @ts-expect-error: not what it takes
  await assert.rejects(last.reject({ code: 'whatever' }), code('invalid_answer'));
  // @ts-expect-error: not what it takes
  await assert.rejects(last.approve({ approvedBy: 'nobody' }), code('invalid_answer'));
  assert.equal(last.state, 'open');
});

test('an approval names the rule that made it', async () => {
  const { peer, requests } = await connected();
  await peer.ask('hello');
  requests[0].approve({ approvedBy: 'policy:small-sums' }).catch(() => {});
  assert.equal((await peer.next('sign_response')).approved_by, 'policy:small-sums');
});

for (const [outcome, expectedCode, expectedState] of [
  ['late', 'late', 'late'],
  ['bad_signature', 'bad_signature', 'failed'],
  ['message_mismatch', 'message_mismatch', 'failed'],
  ['unknown', 'unknown_request', 'failed'],
]) {
  test(`an answer acknowledged as ${outcome} rejects with ${expectedCode}`, async () => {
    const { peer, requests } = await connected();
    const id = await peer.ask('hello');
    const approved = requests[0].approve();
    await peer.next('sign_response');
    peer.acknowledge(id, outcome);
    await became(approved, code(expectedCode));
    assert.equal(requests[0].state, expectedState);
    await became(requests[0].approve(), code(expectedCode));
    await became(requests[0].reject(), code(expectedCode));
  });
}

test('while nobody listens, requests are declined for this device', async () => {
  const { server, wallet } = await setUp();
  const connecting = wallet.connect();
  const peer = await server.peer();
  await peer.welcome();
  await connecting;
  await peer.ask('hello');
  const { code, scope } = await peer.next('sign_reject');
  assert.deepEqual({ code, scope }, { code: 'policy_rejected', scope: 'device' });
});

test('a message with the reserved prefix is refused for the key and never shown', async () => {
  const { peer, requests, errors } = await connected();
  await peer.ask(Buffer.concat([Buffer.from([0xff]), Buffer.from('countersign/v1/introduction\0')]), { received: false });
  const { code, scope } = await peer.next('sign_reject');
  assert.deepEqual({ code, scope }, { code: 'unsupported', scope: 'key' });
  assert.equal(requests.length, 0);
  assert.equal(errors[0].code, 'bad_frame');
});

for (const cause of ['cancelled', 'expired', 'answered_elsewhere']) {
  test(`a request withdrawn as ${cause} aborts its signal and can no longer be approved`, async () => {
    const { peer, requests, wallet } = await connected();
    const id = await peer.ask('hello');
    const [request] = requests;
    peer.send('request_cancel', { request_id: id, cause });
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    assert.equal(request.signal.reason.code, cause);
    assert.equal(request.state, cause);
    await became(request.approve(), code(cause));
    request.displayed();
    assert.deepEqual(wallet.requests, []);
  });
}

test('a request expires by itself when the server says nothing', async () => {
  const { peer, requests } = await connected();
  await peer.ask('hello', { expiresInMs: 50 });
  const [request] = requests;
  if (!request.signal.aborted) await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
  assert.equal(request.state, 'expired');
  assert.equal(request.remainingMs, 0);
  await became(request.approve(), code('expired'));
});

test('a request whose time ran out while the machine slept is not signed', async (t) => {
  const { peer, requests } = await connected();
  await peer.ask('hello', { expiresInMs: 6_000 });
  // In many systems the clock of `performance` stands still meanwhile.
  const awake = Date.now;
  t.mock.method(Date, 'now', () => awake() + 9_000);
  assert.equal(requests[0].remainingMs, 0);
  await became(requests[0].approve(), code('expired'));
  assert.deepEqual(await untilPong(peer), []);
});

test('a clock that is set back gives a request no more time', async (t) => {
  const { peer, requests } = await connected();
  await peer.ask('hello', { expiresInMs: 50 });
  const before = Date.now;
  t.mock.method(Date, 'now', () => before() - 3_600_000);
  assert.ok(requests[0].remainingMs <= 50);
  const ended = new Promise((resolve) => requests[0].signal.addEventListener('abort', resolve));
  await ended;
  await became(requests[0].approve(), code('expired'));
});

test('a request survives the connection: one prompt, the attempt counted, the answer sent on the next connection', async () => {
  const { server, wallet, peer, requests, key } = await connected();
  const id = await peer.ask('hello');
  const [request] = requests;
  request.displayed();
  await peer.next('request_status');
  const lost = state(wallet, 'reconnecting');
  peer.drop();
  assert.equal((await lost).error?.code, 'connection_lost');

  const second = await server.peer();
  await second.welcome();
  const stillShown = { type: 'request_status', request_id: id, state: 'displayed' };
  assert.deepEqual(await second.next('request_status'), stillShown, 'so that the server may take it back');
  await second.ask('hello', { id, attempt: 2, expiresInMs: 30_000 });
  assert.equal((await second.next('request_status')).state, 'displayed');
  assert.equal(request.attempt, 2);
  assert.ok(request.remainingMs <= 30_000);

  const gone = state(wallet, 'reconnecting');
  second.drop();
  await gone;
  const approved = request.approve();
  const third = await server.peer();
  await third.welcome();
  const response = await third.next('sign_response');
  assert.ok(holds(key.publicKey, Buffer.from('hello'), response.signature));
  third.acknowledge(id, 'accepted');
  await approved;
  assert.equal(requests.length, 1);
});

test('connecting again while it waits for its next try makes that now', async () => {
  const { server, wallet } = await setUp({ backoff: { initialMs: 600_000, maxMs: 600_000 } });
  const { peer } = await welcomed(server, wallet);
  const lost = state(wallet, 'reconnecting');
  peer.drop();
  await lost;
  const back = wallet.connect();
  await (await server.peer()).welcome();
  await back;
  assert.equal(wallet.state, 'connected');
});

for (const cause of /** @type {const} */ (['cancelled', 'answered_elsewhere', 'expired'])) {
  test(`a prompt that was ${cause} while the wallet was away closes on return`, async () => {
    const { server, peer, requests } = await connected();
    const id = await peer.ask('hello');
    peer.drop();
    const second = await server.peer();
    await second.welcome();
    await second.next('request_status');
    second.send('request_cancel', { request_id: id, cause });
    assert.deepEqual(await untilPong(second), []);
    assert.equal(requests[0].state, cause);
    assert.equal(requests[0].signal.reason.code, cause);
    await became(requests[0].approve(), code(cause));
    assert.deepEqual(await untilPong(second), [], 'nothing is signed');
  });
}

test('a handler that fails is told as an error, and what became of an answer never is', async () => {
  const { server, wallet } = await setUp();
  const errors = [];
  wallet.on('error', (error) => errors.push(error));
  wallet.on('request', async (request) => {
    const { state } = await request.approve();
    throw new Error(`it was ${state}`);
  });
  const { peer } = await welcomed(server, wallet);
  const id = await peer.ask('hello');
  await peer.next('sign_response');
  const failed = event(wallet, 'error');
  peer.acknowledge(id, 'late');
  await failed;
  assert.equal(errors.length, 1);
  code('listener_failed', "a listener for 'request' failed: it was late")(errors[0]);
});

test('an answer without acknowledgement is sent again, and a repeated request gets the same answer', async () => {
  const { server, peer, requests } = await connected();
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  const first = await peer.next('sign_response');
  peer.drop();

  const second = await server.peer();
  await second.welcome();
  assert.deepEqual(await second.next('sign_response'), first);
  second.acknowledge(id, 'accepted');
  await approved;
  await second.ask('hello', { id, attempt: 2, received: false });
  assert.deepEqual(await second.next('sign_response'), first);
  second.acknowledge(id, 'duplicate');
  assert.equal(requests.length, 1);
});

test('where the fate of a signature cannot be known, it is not called unused', async () => {
  const { server, peer, requests } = await connected();
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  await peer.next('sign_response');
  peer.drop();
  const second = await server.peer();
  await second.welcome();
  await second.next('sign_response');
  second.acknowledge(id, 'unknown');
  await became(approved, code('unconfirmed'));
  assert.equal(requests[0].state, 'failed');
});

test('a refused proof is final and says what to do', async () => {
  const { server, wallet } = await setUp();
  const connecting = wallet.connect();
  const peer = await server.peer();
  await peer.introduce();
  peer.send('error', { code: 'proof_invalid', message: 'the proof does not hold' });
  peer.close(1008);
  await assert.rejects(connecting, code('proof_invalid', '--audience'));
  assert.equal(wallet.state, 'closed');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(server.waitingPeers, 0);
});

test('too many connections is not final', async () => {
  const { server, wallet } = await setUp();
  const connecting = wallet.connect();
  const peer = await server.peer();
  await peer.introduce();
  peer.send('error', { code: 'too_many_connections', message: 'as many as it may have' });
  peer.close(1008);
  await (await server.peer()).welcome();
  await connecting;
});

test('a superseded wallet stays away', async () => {
  const { server, wallet, peer } = await connected();
  const closed = state(wallet, 'closed');
  peer.send('goodbye', { reason: 'superseded', reconnect_after_ms: 0 });
  peer.close(1000);
  assert.equal((await closed).error?.code, 'superseded');
  assert.equal(server.waitingPeers, 0);
});

test('a goodbye says how long to stay away', async () => {
  const { wallet, peer } = await connected();
  const lost = state(wallet, 'reconnecting');
  peer.send('goodbye', { reason: 'shutdown', reconnect_after_ms: 5_000 });
  peer.close(1012);
  assert.ok(((await lost).retryInMs ?? 0) >= 5_000);
});

test('closing rejects what waits, ends open requests, and connecting starts anew', async () => {
  const { server, wallet, peer, requests } = await connected();
  await peer.ask('hello');
  wallet.close();
  assert.equal(wallet.state, 'closed');
  assert.equal(requests[0].state, 'failed');
  assert.equal(requests[0].signal.reason.code, 'closed');
  assert.equal(await peer.closed, 1000);
  const connecting = wallet.connect();
  await server.peer();
  wallet.close();
  await assert.rejects(connecting, code('closed'));
  const again = wallet.connect();
  await server.peer().then((peer) => peer.welcome());
  await again;
});

test('connecting can be aborted', async () => {
  const { wallet } = await setUp();
  await assert.rejects(wallet.connect({ signal: AbortSignal.abort() }), code('aborted'));
  assert.equal(wallet.state, 'idle');
  const aborter = new AbortController();
  const connecting = wallet.connect({ signal: aborter.signal });
  aborter.abort('enough');
  await assert.rejects(connecting, (error) => code('aborted')(error) && error instanceof Error && error.cause === 'enough');
  assert.equal(wallet.state, 'closed');
});

test('an unreachable server is tried again and again', async () => {
  const { server, wallet } = await setUp();
  const { url } = server;
  await server.stop();
  let tries = 0;
  const enough = event(wallet, 'state', (event) => event.state === 'reconnecting' && ++tries === 3);
  const connecting = wallet.connect();
  assert.equal((await enough).error?.code, 'connection_lost', url);
  wallet.close();
  await assert.rejects(connecting, code('closed'));
});

test('a socket that cannot even be made is final', async () => {
  class Refusing {
    constructor() {
      throw new DOMException('insecure', 'SecurityError');
    }
  }
  const { wallet } = await setUp({ WebSocket: Refusing });
  await assert.rejects(wallet.connect(), code('dial_refused'));
});

test('the wallet may be called back from its own events', async () => {
  const { wallet, peer, key } = await connected();
  wallet.on('request', (request) => {
    request.displayed();
    request.approve().then(() => wallet.close(), assert.fail);
  });
  const id = await peer.ask('hello');
  assert.equal((await peer.next('request_status')).state, 'displayed');
  const { signature } = await peer.next('sign_response');
  assert.ok(holds(key.publicKey, Buffer.from('hello'), signature));
  const closed = state(wallet, 'closed');
  peer.acknowledge(id, 'accepted');
  await closed;

  const off = wallet.on('state', (event) => event.state === 'connecting' && wallet.close());
  await assert.rejects(wallet.connect(), code('closed'));
  off();
});

test('what a listener throws stops nothing', async () => {
  const { peer, requests, wallet } = await connected();
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
  const off = wallet.on('request', () => {
    throw new Error('a listener of the test');
  });
  // The test runner has listeners of its own, which would fail the test.
  const others = process.listeners('uncaughtException').slice(0, -1);
  for (const other of others) process.removeListener('uncaughtException', other);
  await peer.ask('hello');
  assert.match((await uncaught).message, /listener of the test/);
  for (const other of others) process.on('uncaughtException', other);
  off();
  await peer.ask('hello again');
  assert.equal(requests.length, 2);
});

test('a freed key signs nothing, and the backend is told', async () => {
  const { peer, requests, key } = await connected();
  const id = await peer.ask('hello');
  key.free();
  await became(requests[0].approve(), code('key_freed'));
  assert.deepEqual(await peer.next('sign_reject'), { type: 'sign_reject', request_id: id, code: 'locked', scope: 'device' });
});

test('frames are shown while somebody listens', async () => {
  const { wallet, peer } = await connected();
  const frames = [];
  const off = wallet.on('frame', ({ direction, type }) => frames.push(`${direction} ${type}`));
  await peer.ask('hello');
  off();
  await peer.ask('hello');
  assert.deepEqual(frames, ['in sign_request', 'out request_status']);
});

test('one more request than the welcome allows is left to other devices', async () => {
  const { peer, requests } = await connected({}, { maxInflight: 1 });
  await peer.ask('hello');
  await peer.ask('hello', { received: false });
  const { code, scope } = await peer.next('sign_reject');
  assert.deepEqual({ code, scope }, { code: 'unsupported', scope: 'device' });
  assert.equal(requests.length, 1);
});

test('a silent server is pinged, a ping is answered', async () => {
  // Two wallets: the one that pings after a millisecond may do so before it answers.
  const answering = await connected();
  answering.peer.send('ping', { t: 7 });
  assert.deepEqual(await answering.peer.next('pong'), { type: 'pong', t: 7 });
  const { peer } = await connected({}, { heartbeatMs: 1 });
  const { t } = await peer.next('ping');
  peer.send('pong', { t });
  await peer.next('ping');
});

/** @type {[string, (peer: import('./server.mjs').Peer) => unknown][]} */
const breaches = [
  ['a request before the welcome', (peer) => peer.ask('hello', { received: false })],
  [
    'a welcome without an introduction',
    (peer) =>
      peer.send('welcome', {
        connection_id: '6f9a7d52-0c3b-4e8f-8a21-93d4c5b6a7f8',
        heartbeat_ms: 1,
        limits: { max_message_bytes: 1, max_inflight: 1 },
      }),
  ],
  [
    'a second challenge',
    async (peer) => {
      await peer.introduce();
      peer.send('challenge', { challenge: Buffer.alloc(32).toString('base64') });
    },
  ],
];

for (const [name, hostile] of breaches) {
  test(`${name} breaks the connection off`, async () => {
    const { server, wallet } = await setUp();
    const errors = [];
    wallet.on('error', (error) => errors.push(error.code));
    const connecting = wallet.connect();
    const peer = await server.peer();
    await hostile(peer);
    assert.equal(await peer.closed, 4002);
    assert.deepEqual(errors, ['protocol_error']);
    await (await server.peer()).welcome();
    await connecting;
  });
}

test('frames that are none are dropped, and too many of them are enough', async () => {
  const { server, peer, errors, requests } = await connected();
  const hostile = [
    '',
    'null',
    '[]',
    '{',
    '{"type":1}',
    '{"type":"nonsense"}',
    '{"type":"introduction"}',
    '[['.repeat(5_000),
    '{"type":"sign_request"}',
    '{"type":"response_ack","request_id":"x","outcome":"accepted"}',
    'x'.repeat(100_000),
    Buffer.from([1, 2, 3]),
    '{"type":"welcome","connection_id":"","heartbeat_ms":-1}',
  ];
  for (const text of hostile) peer.sendRaw(text);
  await peer.ask('still here');
  assert.deepEqual(
    errors.map((error) => error.code),
    hostile.map(() => 'bad_frame'),
  );
  assert.equal(requests.length, 1);
  for (const text of ['', '', '']) peer.sendRaw(text);
  assert.equal(await peer.closed, 4002);
  await (await server.peer()).welcome();
});

test('a wallet that the server paces loses nothing', async () => {
  const { peer, wallet, requests } = await connected({}, { maxInflight: 64 });
  // More than the buffers in between hold: 64 answers with a message of 64 KiB in each.
  const message = 'a'.repeat(65_536);
  const ids = [];
  for (let n = 0; n < 64; n += 1) ids.push(await peer.ask(message));
  peer.pause();
  const outcomes = requests.map((request) => request.approve());
  peer.resume();
  for (const id of ids) {
    assert.equal((await peer.next('sign_response')).request_id, id);
    peer.acknowledge(id, 'accepted');
  }
  assert.deepEqual(new Set((await Promise.all(outcomes)).map(({ state }) => state)), new Set(['accepted']));
  assert.deepEqual([wallet.state, await untilPong(peer)], ['connected', []]);
});
