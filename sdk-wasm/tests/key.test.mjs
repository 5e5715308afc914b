// Keys in WebAssembly: what goes in and comes out, against OpenSSL's and the standards' own.
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { code } from './bench.mjs';
import { Key, load } from './package.mjs';
import { holds } from './server.mjs';

/** @type {typeof import('countersign/import')} */
const { importKey } = await load('countersign/import');

const base64 = (text) => new Uint8Array(Buffer.from(text, 'base64'));

/** RFC 8410 §10.3: the same key without and with its public key and an attribute. */
const RFC_8410_V1 = 'MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC';
const RFC_8410_V2 =
  'MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCoB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';
const RFC_8410_PUBLIC = 'Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';

/** RFC 8037 Appendix A.1, and the message of A.4 with its signature. */
const RFC_8037 = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
};
const RFC_8037_SIGNED = [
  'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc',
  'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
];

const pem = (body, label = 'PRIVATE KEY') => `-----BEGIN ${label}-----\n${body.replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
const refused = (key, text) => assert.rejects(key, code('invalid_key', text));

test('signs as the standard does', async () => {
  const key = await importKey(RFC_8037);
  assert.equal(key.storage, 'memory');
  const [message, signature] = RFC_8037_SIGNED;
  const signed = key.sign(Buffer.from(message));
  assert.ok(signed instanceof Uint8Array);
  assert.equal(Buffer.from(signed).toString('base64url'), signature);
  assert.ok(holds(key.publicKey, Buffer.alloc(0), Buffer.from(key.sign(new Uint8Array())).toString('base64')));
  // @ts-expect-error: not what it takes
  for (const bad of [undefined, 'text', [1, 2], new ArrayBuffer(3)]) assert.throws(() => key.sign(bad), code('invalid_message'));
  key.free();
  for (const use of [() => key.sign(new Uint8Array(1)), () => key.exportSeed(), () => key.exportPkcs8(), () => key.exportJwk()]) {
    assert.throws(use, code('key_freed'));
  }
});

test('takes the examples of RFC 8410 in, as DER and as PEM', async () => {
  for (const example of [RFC_8410_V1, RFC_8410_V2]) {
    for (const source of [
      base64(example),
      Buffer.from(example, 'base64'),
      pem(example),
      pem(example).replaceAll('\n', '\r\n'),
      `\n${pem(example)}`,
    ]) {
      assert.equal((await importKey(source)).publicKey, RFC_8410_PUBLIC);
    }
  }
});

test('gives out what OpenSSL reads, and reads what OpenSSL gives out', async () => {
  const key = await Key.generate();
  const [publicOf, der, jwk] = [(secret) => createPublicKey(secret).export({ format: 'jwk' }).x, key.exportPkcs8(), key.exportJwk()];
  const x = Buffer.from(key.publicKey, 'base64').toString('base64url');
  assert.equal(der.length, 48);
  assert.equal(publicOf(createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })), x);
  assert.equal(publicOf(createPrivateKey({ key: { ...jwk }, format: 'jwk' })), x);
  assert.deepEqual(jwk, { kty: 'OKP', crv: 'Ed25519', x, d: Buffer.from(key.exportSeed()).toString('base64url') });

  const { privateKey } = generateKeyPairSync('ed25519');
  const expected = Buffer.from(publicOf(privateKey) ?? '', 'base64url').toString('base64');
  assert.equal((await importKey(privateKey.export({ format: 'pem', type: 'pkcs8' }))).publicKey, expected);
  assert.equal((await importKey(privateKey.export({ format: 'der', type: 'pkcs8' }))).publicKey, expected);
  const exported = { ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig' };
  assert.equal((await importKey(exported)).publicKey, expected);
});

test('what is imported can be overwritten at once, and is left as it was', async () => {
  const seed = new Uint8Array(32).fill(7);
  const expected = (await Key.fromSeed(seed)).publicKey;
  assert.deepEqual(seed, new Uint8Array(32).fill(7));
  const making = Key.fromSeed(seed);
  seed.fill(0);
  assert.equal((await making).publicKey, expected);
  const der = base64(RFC_8410_V1);
  const reading = importKey(der);
  der.fill(0);
  assert.equal((await reading).publicKey, RFC_8410_PUBLIC);
  const buffer = Buffer.from(RFC_8410_V1, 'base64');
  await importKey(buffer);
  assert.deepEqual(buffer, Buffer.from(RFC_8410_V1, 'base64'));
});

test('PKCS#8 that is none, or no Ed25519 key, is refused', async () => {
  const v1 = base64(RFC_8410_V1);
  const v2 = base64(RFC_8410_V2);
  const changed = (bytes, at, to) => Uint8Array.from(bytes, (byte, index) => (index === at ? to : byte));
  for (const length of [...v1.keys()]) await refused(importKey(v1.subarray(0, length)), /./);
  for (const length of [...v2.keys()]) await refused(importKey(v2.subarray(0, length)), /./);
  for (let at = 0; at < 16; at++) await refused(importKey(changed(v1, at, v1[at] ^ 0x40)), /./);
  await refused(importKey(Buffer.concat([v1, Buffer.from([0])])), /not PKCS#8 of an Ed25519/);
  const grown = (bytes, ...more) => Uint8Array.from([0x30, bytes.length - 2 + more.length, ...bytes.subarray(2), ...more]);
  await refused(importKey(grown(v1, 0)), /no place there/);
  await refused(importKey(grown(v1, 0xa0)), /no place there/);
  await refused(importKey(grown(v1, 0xa0, 5, 0)), /no place there/);
  const publicPart = [0x81, 33, 0, ...Buffer.from(RFC_8410_PUBLIC, 'base64')];
  await refused(importKey(grown(v1, ...publicPart)), /no place there/);
  const withPublic = grown(changed(v1, 4, 1), ...publicPart);
  assert.equal((await importKey(withPublic)).publicKey, RFC_8410_PUBLIC);
  await refused(importKey(changed(withPublic, withPublic.length - 1, 0)), /do not belong together/);
  await refused(importKey(changed(v2, v2.length - 1, 0)), /do not belong together/);
  const { privateKey: p256 } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await refused(importKey(p256.export({ format: 'pem', type: 'pkcs8' })), /not PKCS#8 of an Ed25519/);
  const { privateKey: x25519 } = generateKeyPairSync('x25519');
  await refused(importKey(x25519.export({ format: 'der', type: 'pkcs8' })), /not PKCS#8 of an Ed25519/);
  // @ts-expect-error: not what it takes
  for (const source of [undefined, 7, null, true]) await refused(importKey(source), /as text, bytes/);
});

test('PEM that is none is refused', async () => {
  for (const text of ['', pem(''), pem(RFC_8410_V1.slice(1)), pem(`${RFC_8410_V1}=`), pem(RFC_8410_V1.replace('hC', 'h*'))]) {
    await refused(importKey(text), /./);
  }
  await refused(importKey(pem(RFC_8410_V1) + pem(RFC_8410_V1)), /several private keys/);
  await refused(importKey(pem(RFC_8410_V1).replace('END', 'AND')), /no whole PEM/);
  await refused(importKey(pem(RFC_8410_V1, 'NO PRIVATE KEY')), /no whole PEM/);
});

test('a JWK that is none, or whose halves differ, is refused', async () => {
  for (const bad of [{}, { ...RFC_8037, kty: 'EC' }, { ...RFC_8037, crv: 'X25519' }]) await refused(importKey(bad), /RFC 8037/);
  const { d, x } = RFC_8037;
  for (const bad of ['', d.slice(1), `${d}=`, `${d}A`, d.replace('_', '/'), `${d.slice(0, -1)}B`, 7, [d]]) {
    await refused(importKey({ ...RFC_8037, d: bad }), /private key d/);
    await refused(importKey({ ...RFC_8037, x: bad }), /public key x/);
  }
  await refused(importKey({ kty: 'OKP', crv: 'Ed25519', x }), /public key: there is no d/);
  await refused(importKey({ keys: [RFC_8037] }), /a set of JWKs/);
  await refused(importKey({ ...RFC_8037, x: d }), /do not belong together/);
  assert.ok(x !== d);
});
