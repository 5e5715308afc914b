import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { code } from './bench.mjs';
import { describe, Key, verify } from './package.mjs';

test('what comes from outside makes verify answer, and what a program gets wrong makes it throw', async () => {
  const key = await Key.generate();
  const bytes = Buffer.from('hello');
  const signature = Buffer.from(key.sign(bytes)).toString('base64');
  for (const bad of ['', 'AAAA', 'no base64', signature.replace(/=+$/, ''), ` ${signature}`, `${signature}AAAA`, 'ä'.repeat(88)]) {
    assert.equal(await verify(key.publicKey, bytes, bad), false, bad);
    assert.equal(await verify(bad, bytes, signature), false, bad);
  }
  for (const first of [1, 2, 0xee]) assert.equal(await verify(Buffer.alloc(32, first).toString('base64'), bytes, signature), false);
  for (const length of [0, 1, 63, 65]) assert.equal(await verify(key.publicKey, bytes, new Uint8Array(length)), false);
  for (const message of [new Uint8Array(), new Uint8Array(1), new Uint8Array(100_000)]) {
    assert.equal(await verify(key.publicKey, message, key.sign(message)), true, String(message.length));
    assert.equal(await verify(key.publicKey, bytes, key.sign(message)), false);
  }
  for (const bad of [undefined, null, 7, {}, [1, 2]]) {
    // @ts-expect-error: not what it takes
    await assert.rejects(verify(bad, bytes, signature), code('invalid_public_key'));
    // @ts-expect-error: not what it takes
    await assert.rejects(verify(key.publicKey, bad, signature), code('invalid_message'));
    // @ts-expect-error: not what it takes
    await assert.rejects(verify(key.publicKey, bytes, bad), code('invalid_signature'));
  }
  // @ts-expect-error: not what it takes
  await assert.rejects(verify(key.publicKey, 'hello', signature), code('invalid_message'));
});

test('arrays of another realm are as good', async () => {
  const foreign = (bytes) => runInNewContext('Uint8Array').from(bytes);
  const key = await Key.fromSeed(foreign(Buffer.alloc(32, 7)));
  const message = foreign(Buffer.from('hello'));
  assert.equal(message instanceof Uint8Array, false);
  assert.equal(await verify(key.publicKey, message, foreign(key.sign(message))), true);
  assert.equal(describe(message).text, 'hello');
  assert.throws(() => key.sign(new (runInNewContext('Uint16Array'))(2)), code('invalid_message'));
});
