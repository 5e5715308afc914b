// The platform's own Ed25519, where there is no IndexedDB. Browsers are tested in tests/browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanups, code, setUp, walletOf, welcomed } from './bench.mjs';
import { countersign, load } from './package.mjs';
import { FakeServer, holds } from './server.mjs';

const { Key, WebCryptoKey, deleteKey, openKey } = countersign;
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

test('makes a key, signs what OpenSSL verifies, and keeps the secret to itself', async () => {
  assert.equal(await WebCryptoKey.supported(), true);
  const key = await WebCryptoKey.generate();
  assert.equal(key.storage, 'webcrypto');
  assert.equal(key.name, undefined);
  for (const bytes of [Buffer.from('hello'), new Uint8Array(), new Uint8Array(new SharedArrayBuffer(3))]) {
    const signature = await key.sign(bytes);
    assert.ok(signature instanceof Uint8Array && signature.length === 64);
    assert.ok(holds(key.publicKey, bytes, base64(signature)));
  }
  assert.deepEqual(Object.keys(key).sort(), ['created', 'name', 'publicKey', 'storage']);
  const forged = Buffer.concat([Buffer.from([0xff]), Buffer.from('countersign/v1/introduction\0')]);
  await assert.rejects(key.sign(forged), code('invalid_message'));
  // @ts-expect-error: not what it takes
  await assert.rejects(key.sign('text'), code('invalid_message'));
  await key.delete();
});

test('takes in what Key takes in, and refuses what that refuses', async () => {
  const memory = await Key.generate();
  const { importWebCryptoKey } = await load('countersign/import');
  const imports = {
    seed: [WebCryptoKey.fromSeed, memory.exportSeed(), new Uint8Array(31), 'invalid_seed'],
    pkcs8: [importWebCryptoKey, memory.exportPkcs8(), new Uint8Array(48), 'invalid_key'],
    jwk: [importWebCryptoKey, memory.exportJwk(), { ...memory.exportJwk(), x: (await Key.generate()).exportJwk().x }, 'invalid_key'],
  };
  for (const [how, [take, good, bad, refusal]] of Object.entries(imports)) {
    const key = await take(good);
    assert.equal(key.publicKey, memory.publicKey, how);
    assert.deepEqual(await key.sign(Buffer.from('hello')), memory.sign(Buffer.from('hello')), 'Ed25519 is deterministic');
    await assert.rejects(take(bad), code(refusal), how);
    await assert.rejects(take(undefined), code(refusal), how);
  }
  const seed = memory.exportSeed();
  const taking = WebCryptoKey.fromSeed(seed);
  seed.fill(0);
  assert.equal((await taking).publicKey, memory.publicKey);
});

test('a wallet connects and signs with it', async () => {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  const key = await WebCryptoKey.generate();
  const { peer, requests, introduction } = await welcomed(server, walletOf(server, key));
  assert.equal(introduction.public_key, key.publicKey);
  const id = await peer.ask('hello');
  const approved = requests[0].approve();
  const response = await peer.next('sign_response');
  assert.ok(holds(key.publicKey, Buffer.from('hello'), response.signature));
  peer.acknowledge(id, 'accepted');
  await approved;
});

test('one that names the public key of another key sends nothing', async () => {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  const key = await WebCryptoKey.generate();
  const wallet = walletOf(server, Object.assign(key, { publicKey: (await WebCryptoKey.generate()).publicKey }));
  const connecting = wallet.connect();
  const peer = await server.peer();
  peer.send('challenge', { challenge: base64(new Uint8Array(32)) });
  await assert.rejects(connecting, code('invalid_signature'));
  await peer.closed;
  assert.equal(peer.frames.length, 0, 'no introduction');
});

test('where there is no IndexedDB, nothing pretends to be kept', async () => {
  const { key } = await setUp();
  const keeping = [
    () => WebCryptoKey.open(),
    () => openKey(),
    () => openKey({ name: 'other' }),
    () => deleteKey(),
    () => WebCryptoKey.generate({ name: 'mine' }),
    () => WebCryptoKey.fromSeed(key.exportSeed(), { name: 'mine' }),
  ];
  for (const keep of keeping) {
    await assert.rejects(keep(), code('storage_unavailable', 'no IndexedDB here'));
  }
  for (const name of ['', 'x'.repeat(257), 7, null]) {
    // @ts-expect-error: not what it takes
    for (const use of [openKey, WebCryptoKey.open, deleteKey, WebCryptoKey.generate]) await assert.rejects(use({ name }), TypeError);
  }
});
