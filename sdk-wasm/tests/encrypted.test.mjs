// Keys under a passphrase. The files below were made with the reference implementation of Argon2 in C and with libsodium.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { code } from './bench.mjs';
import { installed, Key, load } from './package.mjs';

const { exportEncrypted, importEncrypted, init } = await load('countersign/encrypted');

const SEED = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
const PASSPHRASE = '\uFB01ne A\u030Angstr\u00F6m \u2460';
const fileOf = (memoryKib, iterations, lanes, ciphertext) => ({
  format: 'countersign-key',
  version: 1,
  publicKey: 'ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=',
  kdf: { name: 'argon2id', memoryKib, iterations, lanes, salt: 'AAECAwQFBgcICQoLDA0ODw==' },
  cipher: { name: 'xchacha20-poly1305', nonce: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYX' },
  ciphertext,
});
const FILE = fileOf(65_536, 3, 4, 'AyQtn+/Fe1o1aPqWF/ibSmo9Ec0Weja9sTF35zOc1zoy4xP+6/Pm4pz7591jTgKN');
const CHEAP_FILE = fileOf(19_456, 1, 1, 'EUFRJe/LQdDHrHuwohLpMZCyf0/vGiEIQygdaxgEeqHqnTCnvCpN+BA8nJuoy/TG');
const CHEAP = { memoryKib: 19_456, iterations: 1 };

const refused = (promise, expected, text) => assert.rejects(promise, code(expected, text));

test('says where its WebAssembly was looked for, and takes it from elsewhere', async () => {
  await refused(init(new URL('file:///nowhere/encrypted.wasm')), 'wasm_not_found', /nowhere\/encrypted\.wasm/);
  await refused(init(new Uint8Array([1, 2])), 'wasm_invalid');
  await init(readFileSync(join(installed, 'dist', 'encrypted.wasm')));
  await init();
});

test('reads what other implementations wrote, however the passphrase is composed', async () => {
  for (const file of [FILE, CHEAP_FILE]) {
    for (const passphrase of [PASSPHRASE, PASSPHRASE.normalize('NFKC'), 'fine \u00C5ngstr\u00F6m 1']) {
      const key = await importEncrypted(JSON.stringify(file), passphrase);
      assert.deepEqual(key.exportSeed(), SEED);
      assert.equal(key.publicKey, file.publicKey);
    }
  }
  const key = await importEncrypted(`\n${JSON.stringify({ note: 'from my drawer', ...CHEAP_FILE }, null, 2)}`, PASSPHRASE);
  assert.equal(key.storage, 'memory');
});

test('what is exported comes back, with the recommended cost unless told otherwise', async () => {
  const key = await Key.generate();
  const text = await exportEncrypted(key, 'correct horse');
  const { kdf, cipher, publicKey, ciphertext } = JSON.parse(text);
  assert.deepEqual([kdf.name, kdf.memoryKib, kdf.iterations, kdf.lanes, cipher.name], ['argon2id', 65_536, 3, 4, 'xchacha20-poly1305']);
  assert.deepEqual(
    [kdf.salt, cipher.nonce, publicKey, ciphertext].map((value) => Buffer.from(value, 'base64').length),
    [16, 24, 32, 48],
  );
  assert.ok(!text.includes(Buffer.from(key.exportSeed()).toString('base64').slice(0, 10)));
  const back = await importEncrypted(text, 'correct horse');
  assert.deepEqual(back.exportSeed(), key.exportSeed());
  const again = JSON.parse(await exportEncrypted(key, 'correct horse', CHEAP));
  assert.deepEqual([again.kdf.memoryKib, again.kdf.iterations], [19_456, 1]);
  assert.notEqual(again.kdf.salt, kdf.salt);
  assert.notEqual(again.cipher.nonce, cipher.nonce);
});

test('another passphrase, and an altered file, are wrong', async () => {
  for (const passphrase of ['', 'fine Angstrom 1', `${PASSPHRASE} `, PASSPHRASE.toLowerCase()]) {
    await refused(importEncrypted(JSON.stringify(CHEAP_FILE), passphrase), 'wrong_passphrase');
  }
  const { kdf, cipher } = CHEAP_FILE;
  const other = (await Key.generate()).publicKey;
  const altered = [
    { publicKey: other },
    { kdf: { ...kdf, memoryKib: 19_457 } },
    { kdf: { ...kdf, iterations: 2 } },
    { kdf: { ...kdf, lanes: 2 } },
    { kdf: { ...kdf, salt: 'AQECAwQFBgcICQoLDA0ODw==' } },
    { cipher: { ...cipher, nonce: 'AQECAwQFBgcICQoLDA0ODxAREhMUFRYX' } },
    { ciphertext: FILE.ciphertext },
  ];
  for (const changes of altered) {
    await refused(importEncrypted(JSON.stringify({ ...CHEAP_FILE, ...changes }), PASSPHRASE), 'wrong_passphrase', /altered/);
  }
});

test('what is no export is refused, before any work, by what is wrong with it', async () => {
  const { kdf, cipher } = FILE;
  const wrong = {
    'no text': [undefined, null, 7, {}, 'x'.repeat(4_097)],
    'no JSON': ['', 'hello', JSON.stringify(FILE).slice(1)],
    'no object': ['null', '"text"', '7', { ...FILE, kdf: undefined }, { ...FILE, kdf: 'argon2id' }, { ...FILE, cipher: null }],
    format: ['{}', '[]', { ...FILE, format: 'other' }],
    'version is not 1': [
      { ...FILE, version: 2 },
      { ...FILE, version: '1' },
    ],
    'kdf is not': [{ ...FILE, kdf: { ...kdf, name: 'scrypt' } }],
    'cipher is not': [{ ...FILE, cipher: { ...cipher, name: 'none' } }],
    'no number': [
      { ...FILE, kdf: { ...kdf, lanes: '4' } },
      { ...FILE, kdf: { ...kdf, iterations: undefined } },
    ],
    'no base64': [
      { ...FILE, ciphertext: undefined },
      { ...FILE, publicKey: `${FILE.publicKey}=` },
      { ...FILE, kdf: { ...kdf, salt: ' ' } },
    ],
    'bytes, not': [
      { ...FILE, publicKey: 'AAAA' },
      { ...FILE, ciphertext: '' },
      { ...FILE, kdf: { ...kdf, salt: 'AAAA' } },
      { ...FILE, cipher: { ...cipher, nonce: kdf.salt } },
    ],
    memoryKib: [1, 19_455, 262_145, 2 ** 32 + 65_536, 65_536.5, -1, 1e300].map((memoryKib) => ({ ...FILE, kdf: { ...kdf, memoryKib } })),
    iterations: [0, 13, 4_294_967_295].map((iterations) => ({ ...FILE, kdf: { ...kdf, iterations } })),
    lanes: [0, 17].map((lanes) => ({ ...FILE, kdf: { ...kdf, lanes } })),
  };
  for (const [why, files] of Object.entries(wrong)) {
    for (const file of files) {
      const text = typeof file === 'object' && file !== null && 'format' in file ? JSON.stringify(file) : file;
      await refused(importEncrypted(text, PASSPHRASE), 'invalid_export', new RegExp(why));
    }
  }
});

test('a passphrase that protects nothing is refused, and so is a key that is none', async () => {
  const key = await Key.generate();
  for (const passphrase of ['', 'seven77', '\u{1F98A}'.repeat(7), 'x'.repeat(1_025), undefined, null, 12345678]) {
    await refused(exportEncrypted(key, passphrase, CHEAP), 'invalid_passphrase');
  }
  for (const passphrase of [undefined, 12345678]) await refused(importEncrypted(JSON.stringify(FILE), passphrase), 'invalid_passphrase');
  for (const cost of [{ memoryKib: 8 }, { memoryKib: NaN }, { iterations: 0 }, { iterations: 1.5 }, { memoryKib: 262_145 }]) {
    await refused(exportEncrypted(key, 'correct horse', cost), 'invalid_export');
  }
  for (const none of [undefined, {}, { publicKey: key.publicKey }]) await refused(exportEncrypted(none, 'correct horse'), 'invalid_key');
  key.free();
  await refused(exportEncrypted(key, 'correct horse'), 'key_freed');
});
