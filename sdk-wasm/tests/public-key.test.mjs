import assert from 'node:assert/strict';
import { test } from 'node:test';
import { code } from './bench.mjs';
import { countersign } from './package.mjs';

const { formatPublicKey } = countersign;
const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64');

test('writes a key in every way', () => {
  // The example of the did:key method, W3C CCG.
  const key = base64('2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6');
  const x = 'Lm_M42cB3HkUiODQsXRcweM6TByfzEHGO9ND274JcOY';
  assert.equal(formatPublicKey(key, 'base64'), key);
  assert.equal(formatPublicKey(key, 'base64url'), x);
  assert.equal(formatPublicKey(key, 'hex'), '2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6');
  assert.equal(formatPublicKey(key, 'base58'), '48GdbJyVULjHDaBNS6ct9oAGtckZUS5v8asrPzvZ7R1w');
  assert.equal(formatPublicKey(key, 'did:key'), 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK');
  assert.deepEqual(formatPublicKey(key, 'jwk'), { kty: 'OKP', crv: 'Ed25519', x });
});

test('base58 keeps leading zeros', () => {
  // Solana's system program, a neighbour, and its compute budget program.
  assert.equal(formatPublicKey(base64('00'.repeat(32)), 'base58'), '11111111111111111111111111111111');
  assert.equal(formatPublicKey(base64(`${'00'.repeat(31)}01`), 'base58'), '11111111111111111111111111111112');
  assert.equal(formatPublicKey(base64(`${'00'.repeat(30)}0100`), 'base58'), `${'1'.repeat(30)}5R`);
  assert.equal(
    formatPublicKey(base64('0306466fe5211732ffecadba72c39be7bc8ce5bbc5f7126b2c439b3a40000000'), 'base58'),
    'ComputeBudget111111111111111111111111111111',
  );
  assert.equal(formatPublicKey(base64('ff'.repeat(32)), 'base58'), 'JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG');
});

test('what is no key, and a format that is none, is refused', () => {
  for (const key of [
    '',
    'AAAA',
    base64('00'.repeat(33)),
    base64('00'.repeat(32)).slice(0, -1),
    ` ${base64('00'.repeat(32))}`,
    undefined,
    null,
    7,
  ]) {
    // @ts-expect-error: not what it takes
    assert.throws(() => formatPublicKey(key, 'hex'), code('invalid_public_key'), String(key));
  }
  // @ts-expect-error: not what it takes
  for (const format of ['', 'pem', undefined]) assert.throws(() => formatPublicKey(base64('00'.repeat(32)), format), TypeError);
});
