// Keys in files that the usual tools have written: openssl and ssh-keygen are run, and what Node.js and Solana's tools write is made here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { code } from './bench.mjs';
import { Key, load } from './package.mjs';

/** @type {typeof import('countersign/import')} */
const { importKey } = await load('countersign/import');

const directory = mkdtempSync(join(tmpdir(), 'countersign-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const at = (name) => join(directory, name);
const run = (program, ...args) => execFileSync(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
const refused = (source, text) => assert.rejects(importKey(source), code('invalid_key', text));

/** The public key that a tool tells of its file, in base64. */
const openssl = (file) => run('openssl', 'pkey', '-in', file, '-pubout', '-outform', 'DER').subarray(-32).toString('base64');

test('openssl: PEM, DER, what it prints with it, and base64 of DER', async () => {
  run('openssl', 'genpkey', '-algorithm', 'ed25519', '-out', 'key.pem');
  run('openssl', 'pkey', '-in', 'key.pem', '-outform', 'DER', '-out', 'key.der');
  run('openssl', 'pkey', '-in', 'key.pem', '-text', '-out', 'key.txt');
  const [der, text] = [readFileSync(at('key.der')), readFileSync(at('key.pem'), 'utf8')];
  const printed = readFileSync(at('key.txt'), 'utf8');
  assert.match(printed, /priv:/);
  const sources = [text, readFileSync(at('key.pem')), `\uFEFF${text.replaceAll('\n', '\r\n')}`, der, printed, der.toString('base64')];
  for (const source of sources) assert.equal((await importKey(source)).publicKey, openssl('key.pem'));
});

test('openssl: what is no private Ed25519 key in the clear is refused, with what it is', async () => {
  run('openssl', 'genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', 'pass:secret', '-out', 'encrypted.pem');
  run('openssl', 'pkcs8', '-topk8', '-in', 'key.pem', '-outform', 'DER', '-passout', 'pass:secret', '-out', 'encrypted.der');
  run('openssl', 'genpkey', '-algorithm', 'x25519', '-out', 'x25519.pem');
  run('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'rsa.pem');
  run('openssl', 'rsa', '-in', 'rsa.pem', '-traditional', '-out', 'rsa-pkcs1.pem');
  run('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-out', 'ec.pem');
  run('openssl', 'pkey', '-in', 'key.pem', '-pubout', '-out', 'public.pem');
  const read = (name) => readFileSync(at(name));
  await refused(read('encrypted.pem'), /encrypted: decrypt it first/);
  await refused(read('encrypted.der'), /not PKCS#8 of an Ed25519 private key in the clear/);
  await refused(read('x25519.pem'), /not PKCS#8 of an Ed25519/);
  await refused(read('rsa.pem'), /not PKCS#8 of an Ed25519/);
  await refused(read('rsa-pkcs1.pem'), /another algorithm/);
  await refused(read('ec.pem'), /another algorithm/);
  await refused(read('public.pem'), /a public key/);
});

test('ssh-keygen: its file, and with a passphrase, of another type or the public one what to do', async () => {
  run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'somebody@example.com', '-f', 'ssh');
  run('ssh-keygen', '-q', '-t', 'ed25519', '-N', 'secret', '-f', 'ssh-encrypted');
  run('ssh-keygen', '-q', '-t', 'ecdsa', '-N', '', '-f', 'ssh-ecdsa');
  const text = readFileSync(at('ssh'), 'utf8');
  const [, line] = readFileSync(at('ssh.pub'), 'utf8').split(' ');
  const publicKey = Buffer.from(line, 'base64').subarray(-32).toString('base64');
  for (const source of [text, Buffer.from(text), text.replaceAll('\n', '\r\n')])
    assert.equal((await importKey(source)).publicKey, publicKey);
  await refused(readFileSync(at('ssh-encrypted')), /ssh-keygen -p/);
  await refused(readFileSync(at('ssh-ecdsa')), /a key of ecdsa-sha2-nistp256/);
  await refused(readFileSync(at('ssh.pub')), /without \.pub/);
});

test('ssh-keygen: a file that was cut or changed is refused', async () => {
  const text = readFileSync(at('ssh'), 'utf8');
  const body = Buffer.from(text.replace(/-.*-/g, ''), 'base64');
  const armoured = (bytes) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
  const whole = (await importKey(armoured(body))).publicKey;
  for (let length = 0; length < body.length; length += 7) await refused(armoured(body.subarray(0, length)), /broken|several/);
  const secret = body.indexOf(Buffer.from(whole, 'base64'), body.indexOf(Buffer.from(whole, 'base64')) + 1);
  for (const [where, reason] of [
    [secret, /do not belong together/],
    [secret + 36, /do not belong together/],
    [0, /broken/],
  ]) {
    const changed = Buffer.from(body);
    changed[Number(where)] ^= 1;
    await refused(armoured(changed), reason);
  }
});

test('a seed as bytes, hexadecimal, base64 or base64url, however it is broken into lines', async () => {
  const key = await Key.generate();
  const seed = Buffer.from(key.exportSeed());
  const [hex, base64, base64url] = [seed.toString('hex'), seed.toString('base64'), seed.toString('base64url')];
  const broken = hex.match(/.{1,16}/g)?.join('\n') ?? '';
  for (const source of [
    seed,
    new Uint8Array(seed),
    hex,
    hex.toUpperCase(),
    `0x${hex}\n`,
    `  ${broken} `,
    base64,
    `${base64}\r\n`,
    base64url,
  ]) {
    assert.equal((await importKey(source)).publicKey, key.publicKey);
  }
  await refused(hex.slice(2), /this is 31/);
  await refused(`${hex}00`, /this is 33/);
  await refused(hex.slice(1), /./);
  await refused(seed.subarray(1), /this is 31/);
  await refused('correct horse battery staple', /no PEM, JSON/);
  await refused(' \n', /nothing in it/);
});

test('64 numbers as solana-keygen writes them, and 64 bytes, whose halves belong together', async () => {
  const key = await Key.generate();
  const pair = Buffer.concat([key.exportSeed(), Buffer.from(key.publicKey, 'base64')]);
  const numbers = [...pair];
  for (const source of [
    JSON.stringify(numbers),
    numbers,
    `${JSON.stringify(numbers, null, 1)}\n`,
    pair,
    pair.toString('hex'),
    pair.toString('base64'),
  ]) {
    assert.equal((await importKey(source)).publicKey, key.publicKey);
  }
  const other = [...numbers.slice(0, 32), ...Buffer.from((await Key.generate()).publicKey, 'base64')];
  await refused(JSON.stringify(other), /do not belong together/);
  for (const bad of [numbers.slice(0, 63), [...numbers, 0], numbers.map(() => 256), numbers.map(() => 'a'), []]) {
    await refused(JSON.stringify(bad), /64 numbers/);
  }
});

test('a JWK as text or object, with whatever else is in it', async () => {
  const jwk = { ...(await Key.generate()).exportJwk(), kid: 'one', use: 'sig', alg: 'EdDSA', key_ops: ['sign'] };
  const publicKey = Buffer.from(
    createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' })).export({ format: 'jwk' }).x ?? '',
    'base64url',
  );
  for (const source of [jwk, JSON.stringify(jwk, null, 2), Buffer.from(JSON.stringify(jwk))]) {
    assert.equal((await importKey(source)).publicKey, publicKey.toString('base64'));
  }
  await refused('{ "kty": "OKP", ', /looks like JSON/);
  await refused('{ "format": "countersign-key" }', /importEncrypted/);
});

test('no error tells a part of the secret', async () => {
  const seed = 'ab'.repeat(32);
  for (const source of [`${seed}ab`, `{"d": "${seed}"`, `[${seed}]`, `-----BEGIN PRIVATE KEY-----\n${seed}\n-----END PRIVATE KEY-----`]) {
    await assert.rejects(importKey(source), (error) => {
      const { message, cause, stack } = /** @type {Error} */ (error);
      return !`${message}${cause}${stack}`.includes('abab');
    });
  }
});
