// Wallets with a signer of somebody else's, honest or not.
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { became, cleanups, code, event, listen, state, untilPong, walletOf, welcomed } from './bench.mjs';
import { fakeTabs } from './locks.mjs';
import { MemoryStore } from './memory-store.mjs';
import { init, Key, Wallet } from './package.mjs';
import { FakeServer, holds, introductionBytes } from './server.mjs';

const SEED = Buffer.alloc(32, 5);
const secret = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), SEED]),
  format: 'der',
  type: 'pkcs8',
});
const publicKey = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(12).toString('base64');
const good = (bytes) => new Uint8Array(sign(null, bytes, secret));
const isProof = (bytes) => bytes[0] === 0xff;

/**
 * A signer that proves itself, and signs messages as told.
 *
 * @param {(bytes: Uint8Array) => unknown} signMessage
 * @param {(bytes: Uint8Array) => unknown} signProof
 */
const signer = (signMessage, signProof = good) => ({
  publicKey,
  storage: 'OpenSSL',
  /** @param {Uint8Array} bytes */
  sign: (bytes) => /** @type {Uint8Array} */ (isProof(bytes) ? signProof(bytes) : signMessage(bytes)),
});

test('before the WebAssembly is loaded, a wallet says what to wait for', async () => {
  assert.throws(() => new Wallet({ key: signer(good), url: 'wss://example.com/ws' }), code('wasm_not_loaded'));
  await init();
  new Wallet({ key: signer(good), url: 'wss://example.com/ws' });
});

async function start(key, options) {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  return { server, wallet: walletOf(server, key, options) };
}

async function open(key, options) {
  const { server, wallet } = await start(key, options);
  return { server, ...(await welcomed(server, wallet)) };
}

/** A promise, and what settles it. */
function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

test('a signer of any kind proves the connection and signs requests', async () => {
  const asked = [];
  for (const later of [false, true]) {
    const key = signer((bytes) => {
      asked.push(Buffer.from(bytes));
      return later ? Promise.resolve(good(bytes)) : good(bytes);
    });
    const { server, wallet, peer, requests, challenge, introduction } = await open(key);
    assert.equal(wallet.publicKey, publicKey);
    assert.equal(introduction.public_key, publicKey);
    assert.ok(holds(publicKey, introductionBytes({ challenge, publicKey, audience: server.url, origin: '' }), introduction.proof));
    const id = await peer.ask('Pay 25 EUR to Alice');
    const approved = requests[0].approve();
    await assert.rejects(requests[0].approve(), code('already_answered'));
    const response = await peer.next('sign_response');
    assert.ok(holds(publicKey, Buffer.from('Pay 25 EUR to Alice'), response.signature));
    peer.acknowledge(id, 'accepted');
    await approved;
  }
  assert.deepEqual(asked.map(String), ['Pay 25 EUR to Alice', 'Pay 25 EUR to Alice'], 'each is signed once');
});

/** The order of the prime-order subgroup, little-endian (RFC 8032 §5.1). */
const ORDER = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex');

/** The same S plus the order of the group (RFC 8032 §5.1.7): holds for lax verifiers, and is refused by strict ones. */
function malleable(signature) {
  let carry = 0;
  return signature.map((byte, at) => {
    carry += byte + (at < 32 ? 0 : ORDER[at - 32]);
    const sum = carry & 0xff;
    carry >>= 8;
    return sum;
  });
}

const flipped = (signature, at) => signature.map((byte, index) => (index === at ? byte ^ 1 : byte));
const { privateKey: another } = generateKeyPairSync('ed25519');

function signFreed(key) {
  key.free();
  return key.sign(new Uint8Array(1));
}

/** @type {Record<string, [(bytes: Uint8Array) => unknown, string, RegExp]>} */
const failures = {
  'throws at once': [
    () => {
      throw new Error('no card');
    },
    'signer_failed',
    /no card/,
  ],
  'throws what is no error': [
    () => {
      throw Symbol('odd');
    },
    'signer_failed',
    /no text/,
  ],
  'throws an error that throws': [
    () => {
      throw Object.defineProperty(new Error(), 'message', {
        get() {
          throw new Error('x');
        },
      });
    },
    'signer_failed',
    /no text/,
  ],
  rejects: [() => Promise.reject(new Error('unplugged')), 'signer_failed', /unplugged/],
  'rejects with line breaks': [() => Promise.reject(new Error('a\nb')), 'signer_failed', /a\uFFFDb/],
  'gives nothing': [() => undefined, 'signer_failed', /no Uint8Array/],
  'gives a text': [(bytes) => Buffer.from(good(bytes)).toString('base64'), 'signer_failed', /no Uint8Array/],
  'gives an ArrayBuffer': [(bytes) => good(bytes).buffer, 'signer_failed', /no Uint8Array/],
  'gives 63 bytes': [(bytes) => good(bytes).subarray(1), 'invalid_signature', /64 bytes, the signer gave 63/],
  'gives 128 bytes': [
    (bytes) => Buffer.concat([good(bytes), bytes.slice(0, 64), Buffer.alloc(64)]).subarray(0, 128),
    'invalid_signature',
    /64 bytes/,
  ],
  'gives 65 bytes': [(bytes) => Uint8Array.of(...good(bytes), 0), 'invalid_signature', /64 bytes, the signer gave 65/],
  'gives no bytes': [() => new Uint8Array(), 'invalid_signature', /64 bytes, the signer gave 0/],
  'gives zeros': [() => new Uint8Array(64), 'invalid_signature', /does not verify/],
  'gives another R': [(bytes) => flipped(good(bytes), 0), 'invalid_signature', /does not verify/],
  'gives another S': [(bytes) => flipped(good(bytes), 63), 'invalid_signature', /does not verify/],
  'gives S plus the order': [(bytes) => malleable(good(bytes)), 'invalid_signature', /does not verify/],
  'signs other bytes': [() => good(Buffer.from('something else')), 'invalid_signature', /does not verify/],
  'signs with another key': [(bytes) => new Uint8Array(sign(null, bytes, another)), 'invalid_signature', /does not verify/],
  'throws an error of this package': [async () => signFreed(await Key.generate()), 'signer_failed', /freed/],
  'changes the bytes it was given and signs those': [(bytes) => good(bytes.fill(65)), 'invalid_signature', /does not verify/],
  'gives a thenable that gives two': [
    (bytes) => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tried here
      then(resolve) {
        resolve(new Uint8Array(64));
        resolve(good(bytes));
      },
    }),
    'invalid_signature',
    /does not verify/,
  ],
};

for (const [what, [misbehave, expected, text]] of Object.entries(failures)) {
  test(`a signer that ${what} fails the request, and nothing of it is sent`, async () => {
    const { wallet, peer, requests, errors } = await open(signer(misbehave));
    const id = await peer.ask('hello');
    await became(requests[0].approve(), code(expected, text));
    assert.equal(requests[0].state, 'failed');
    const frames = await untilPong(peer);
    assert.deepEqual(frames, [{ type: 'sign_reject', request_id: id, code: 'locked', scope: 'device' }]);
    // There is no second try.
    await became(requests[0].approve(), code(expected));
    assert.equal(wallet.state, 'connected');
    assert.deepEqual(errors, []);
  });

  test(`a signer that ${what} for the proof closes the wallet`, async () => {
    const { server, wallet } = await start(signer(good, misbehave));
    const connecting = wallet.connect();
    const peer = await server.peer();
    peer.send('challenge', { challenge: Buffer.alloc(32, 1).toString('base64') });
    await assert.rejects(connecting, code(expected));
    assert.equal(wallet.state, 'closed');
    await peer.closed;
    assert.equal(peer.frames.length, 0, 'no introduction');
  });
}

test('a signer that never answers leaves everything else alone, and the request expires', async () => {
  const never = signer((bytes) => (String.fromCharCode(...bytes) === 'never' ? new Promise(() => {}) : good(bytes)));
  const { peer, requests } = await open(never);
  const forgotten = await peer.ask('never', { expiresInMs: 400 });
  const other = await peer.ask('other');
  const approvals = [requests[0].approve(), requests[1].approve()];
  approvals[0].catch(() => {});
  assert.equal((await peer.next('sign_response')).request_id, other);
  peer.acknowledge(other, 'accepted');
  await approvals[1];
  await became(approvals[0], code('expired'));
  assert.notEqual(forgotten, other);
  assert.deepEqual(await untilPong(peer), []);
});

test('what a signer gives after the request is over is dropped, good or not', async () => {
  for (const answer of ['resolve', 'reject']) {
    const late = deferred();
    const { peer, requests, wallet, errors } = await open(signer(() => late.promise));
    const id = await peer.ask('hello');
    const approved = requests[0].approve();
    peer.send('request_cancel', { request_id: id, cause: 'cancelled' });
    await became(approved, code('cancelled'));
    late[answer](answer === 'resolve' ? good(Buffer.from('hello')) : new Error('too late'));
    assert.deepEqual(await untilPong(peer), []);
    assert.equal(requests[0].state, 'cancelled');
    assert.equal(wallet.state, 'connected');
    assert.deepEqual(errors, []);
  }
});

test('what a signer gives while the connection is away is sent on return', async () => {
  const late = deferred();
  const { server, peer, requests, wallet } = await open(signer(() => late.promise));
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  const back = state(wallet, 'connected');
  peer.drop();
  const next = await server.peer();
  await next.welcome();
  await back;
  await next.next('request_status');
  late.resolve(good(Buffer.from('hello')));
  assert.equal((await next.next('sign_response')).request_id, id);
  next.acknowledge(id, 'accepted');
  await approved;
});

test('what a signer gives after the wallet was closed is not sent, and the human is asked again', async () => {
  const late = deferred();
  const { server, peer, requests, wallet } = await open(signer(() => late.promise));
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  wallet.close();
  await became(approved, code('closed'));
  const connecting = wallet.connect();
  const next = await server.peer();
  await next.welcome();
  await connecting;
  late.resolve(good(Buffer.from('hello')));
  assert.deepEqual(await untilPong(next), []);
  const again = event(wallet, 'request');
  await next.ask('hello', { id, attempt: 2 });
  assert.equal((await again).id, id);
  assert.deepEqual(await untilPong(next), []);
});

test('what a signer gives after another tab took over is not sent by either', async () => {
  const late = deferred();
  const shared = { store: new MemoryStore(), tabGroup: fakeTabs() };
  const { server, peer, requests, wallet } = await open(
    signer(() => late.promise),
    shared,
  );
  const other = listen(walletOf(server, signer(good), shared));
  await other.wallet.connect();
  assert.equal(other.wallet.state, 'standby');
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  wallet.close();
  await became(approved, code('closed'));
  const next = await server.peer();
  await next.welcome();
  await next.ask('hello', { id, attempt: 2 });
  late.resolve(good(Buffer.from('hello')));
  assert.deepEqual(await untilPong(next), []);
  assert.equal(wallet.state, 'closed');
  const [resumed] = other.requests;
  assert.equal(resumed.resumed, true);
  const again = resumed.approve();
  assert.ok(holds(publicKey, Buffer.from('hello'), (await next.next('sign_response')).signature));
  next.acknowledge(id, 'accepted');
  await again;
});

test('a signer may call back into its wallet while it is asked', async () => {
  let act = () => {};
  const key = signer((bytes) => {
    act();
    return good(bytes);
  });
  const { wallet, peer, requests } = await open(key);
  const other = await peer.ask('other');
  await peer.ask('hello');
  const [first, second] = requests;
  let rejected;
  act = () => {
    rejected = first.reject('no');
    wallet.close();
  };
  const approved = second.approve();
  await became(approved, code('closed'));
  await rejected.catch(() => {});
  assert.equal(wallet.state, 'closed');
  assert.equal((await peer.next('sign_reject')).request_id, other);
  await peer.closed;
  assert.equal(peer.frames.length, 0, 'no signature');
});

test('a proof that comes after its connection is lost is not sent on the next', async () => {
  const proofs = [];
  const { server, wallet } = await start(
    signer(good, (bytes) => {
      const proof = deferred();
      proofs.push(() => proof.resolve(good(bytes)));
      if (proofs.length > 1) proofs[1]();
      return proof.promise;
    }),
  );
  const connecting = wallet.connect();
  const first = await server.peer();
  first.send('challenge', { challenge: Buffer.alloc(32, 1).toString('base64') });
  const asked = event(wallet, 'frame', ({ type }) => type === 'challenge');
  await asked;
  first.drop();
  const second = await server.peer();
  const { challenge, introduction } = await second.welcome();
  await connecting;
  proofs[0]();
  assert.ok(holds(publicKey, introductionBytes({ challenge, publicKey, audience: server.url, origin: '' }), introduction.proof));
  assert.deepEqual(await untilPong(second), []);
});

test('a signer may pass what a wallet asks on to a key of this package, and nothing else of that form is signed', async () => {
  const key = await Key.fromSeed(SEED);
  const { peer, requests } = await open({ publicKey: key.publicKey, storage: 'wrapped', sign: (bytes) => key.sign(bytes) });
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  await peer.next('sign_response');
  peer.acknowledge(id, 'accepted');
  await approved;
  const forged = Buffer.concat([Buffer.from([0xff]), Buffer.from('countersign/v1/introduction\0')]);
  assert.throws(() => key.sign(forged), code('invalid_message'));
  assert.throws(() => key.sign(forged.subarray(0, 13)), code('invalid_message'));
  assert.ok(holds(key.publicKey, forged.subarray(0, 12), Buffer.from(key.sign(forged.subarray(0, 12))).toString('base64')));
});

test('a public key that is none is refused with the reason', () => {
  const of = (publicKey) => () => new Wallet({ key: { publicKey, storage: 'x', sign: good }, url: 'wss://example.com/ws' });
  const refused = {
    AAAA: /is 3 bytes, not 32/,
    '': /is 0 bytes, not 32/,
    [publicKey.replace('=', '')]: /public key/,
    [` ${publicKey}`]: /public key/,
    [Buffer.from(publicKey, 'base64').toString('hex')]: /public key/,
  };
  for (const [publicKey, text] of Object.entries(refused)) {
    assert.throws(of(publicKey), code('invalid_key', text), publicKey);
  }
  for (const key of [undefined, null, 'key', {}, { publicKey }, { publicKey, sign: 1 }, { publicKey: 1, sign: good }]) {
    // @ts-expect-error: not what it takes
    assert.throws(() => new Wallet({ key, url: 'wss://example.com/ws' }), code('invalid_key'));
  }
  of(publicKey)();
});

const unfit = {
  'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=': /small order/,
  '7v///////////////////////////////////////38=': /canonical/,
  'AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=': /not a point/,
};

for (const [publicKey, text] of Object.entries(unfit)) {
  test(`a public key that no wallet can have (${text.source}) closes the wallet before anything is sent`, async () => {
    const { server, wallet } = await start({ ...signer(good), publicKey });
    const connecting = wallet.connect();
    const peer = await server.peer();
    peer.send('challenge', { challenge: Buffer.alloc(32, 1).toString('base64') });
    await assert.rejects(connecting, code('invalid_key', text));
    await peer.closed;
    assert.equal(peer.frames.length, 0, 'no introduction');
  });
}

test('what a signer gave and changes later was taken as it was', async () => {
  let given;
  const { peer, requests } = await open(signer(async (bytes) => (given = good(bytes))));
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  await new Promise((resolve) => setImmediate(resolve));
  given.fill(0);
  assert.ok(holds(publicKey, Buffer.from('hello'), (await peer.next('sign_response')).signature));
  peer.acknowledge(id, 'accepted');
  await approved;
});

test('a key of this package that was tampered with sends nothing that does not verify', async () => {
  const renamed = await Key.fromSeed(SEED);
  const { publicKey: other } = await Key.generate();
  Object.assign(renamed, { publicKey: other });
  const { server, wallet } = await start(renamed);
  const connecting = wallet.connect();
  const peer = await server.peer();
  peer.send('challenge', { challenge: Buffer.alloc(32, 1).toString('base64') });
  await assert.rejects(connecting, code('invalid_signature'));
  await peer.closed;
  assert.equal(peer.frames.length, 0, 'no introduction');
});
