// What needs no server: keys and their spellings, signatures, receipts, webhooks, events, errors.

import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { publicKeyOf, sign } from '../../../tests/foreign/ed25519.mjs';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from '../dist/bytes.js';
import { failureOf } from '../dist/errors.js';
import * as client from '../dist/index.js';
import { readings } from '../dist/public-key.js';
import { EventReader } from '../dist/sse.js';
import { fakeServer, TestClock, table } from './world.mjs';

const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const api = read('docs/http-api.md');
const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const KEY = publicKeyOf(SEED);
const MESSAGE = new TextEncoder().encode('Pay 25 EUR to Alice');

test('base64 has one spelling', () => {
  for (const length of [0, 1, 2, 3, 31, 32, 33, 70_000]) {
    const bytes = new Uint8Array(randomBytes(length));
    assert.equal(encodeBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.equal(encodeBase64Url(bytes), Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
    assert.deepEqual(decodeBase64Url(encodeBase64Url(bytes)), bytes);
  }
  for (const text of ['A', 'AA', 'AAA', 'AB==', 'AAB=', 'AA=A', '=AAA', 'A===', 'AA==\n', ' AA==', 'A-==', 'AAAA===='])
    assert.equal(decodeBase64(text), undefined, text);
  for (const text of ['A', 'AB', 'AAB', 'AA==', 'A+', 'A/', 'AA\n', 'AAAAA']) assert.equal(decodeBase64Url(text), undefined, text);
});

test('each documented spelling of a key is read as that key', () => {
  const [, spelled = ''] = api.match(/## Spellings of a key\n(.*?)\n\nAbout/s) ?? [];
  const spellings = [...spelled.matchAll(/`([^`]{40,})`/g)].map(([, text]) => text);
  assert.equal(spellings.length, 5);
  for (const text of [...spellings, `${spellings[1]}=`, spellings[2].toUpperCase(), new Uint8Array(KEY)]) {
    assert.deepEqual(readings(text).map(encodeBase64), [KEY.toString('base64')], String(text));
  }
  assert.equal(readings('mhk9jB6mYcrYUbjWNSn2utyYtVqEFaVSv8yYqTV6PT4').length, 2);
  for (const text of [
    '',
    'x',
    'did:key:z',
    `did:key:z${'1'.repeat(48)}`,
    '1'.repeat(100_000),
    `${spellings[2].slice(2)}zz`,
    new Uint8Array(31),
  ]) {
    assert.deepEqual(readings(text), [], String(text).slice(0, 80));
  }
});

test('verification is strict', async () => {
  const signature = new Uint8Array(sign(SEED, MESSAGE));
  assert.equal(await client.verifyEd25519(KEY, MESSAGE, signature), true);
  assert.equal(await client.verifyEd25519(KEY, new Uint8Array([1]), signature), false);
  assert.equal(await client.verifyEd25519(KEY, MESSAGE, signature.subarray(1)), false);
  // S + L is the same number to a lax verifier (RFC 8032 §5.1.7).
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const other = Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
  assert.equal(await client.verifyEd25519(KEY, MESSAGE, other), false);
  // With the neutral element for both key and R, and S = 0, a lax verifier takes any message.
  const neutral = Buffer.from('01'.padEnd(64, '0'), 'hex');
  assert.equal(await client.verifyEd25519(neutral, MESSAGE, Buffer.concat([neutral, Buffer.alloc(32)])), false);
});

test('no key that the protocol refuses by its encoding or for its small order verifies anything', async () => {
  const { public_keys } = JSON.parse(read('protocol/vectors/refused.json'));
  // Whether a point has a part of small order only arithmetic can tell; the server looks for that.
  const refused = public_keys.filter(({ why }) => why !== 'mixed_order');
  assert.ok(refused.length >= 20);
  for (const { name, public_key } of refused) {
    const key = Buffer.from(public_key, 'base64');
    const forged = Buffer.concat([key, Buffer.alloc(32)]);
    for (let count = 0; count < 16; count++) assert.equal(await client.verifyEd25519(key, randomBytes(8), forged), false, name);
  }
});

test('each documented code is an error of a class that says what to do', () => {
  const rows = [...api.matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)].map(([, status, code]) => ({ status: Number(status), code }));
  assert.ok(rows.length >= 38);
  const names = Object.fromEntries(rows.map((row) => [row.code, failureOf({ ...row, detail: 'x' }).name]));
  for (const { status, code } of rows) assert.notEqual(names[code], 'CountersignError', `${status} ${code}`);
  assert.deepEqual(names.timeout, 'ExpiredError');
  const mend = [...api.matchAll(/^\| \d{3} \| `(\w+)` \| .* \| mend the call \|$/gm)].map(([, code]) => code);
  for (const code of mend) assert.ok(failureOf({ code, detail: 'x', status: 400 }) instanceof client.InvalidRequestError, code);
});

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const KID = 'key-1';
const SERVER = randomBytes(32);
const jwk = (changed = {}) => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: publicKeyOf(SERVER).toString('base64url'),
  alg: 'EdDSA',
  use: 'sig',
  kid: KID,
  ...changed,
});
const KEYS = { keys: [jwk()] };
const CLAIMS = {
  jti: randomUUID(),
  iat: 1,
  message_sha256: createHash('sha256').update(MESSAGE).digest('base64url'),
  public_key: KEY.toString('base64'),
  requester: 'x',
  state: 'signed',
  signature: sign(SEED, MESSAGE).toString('base64'),
  times: { queued_ms: 1 },
};
const HEADER = { alg: 'EdDSA', kid: KID, typ: 'countersign-receipt+jwt' };

/** @param {{ header?: any, claims?: any, seed?: Buffer }} changed */
function receipt({ header = HEADER, claims = CLAIMS, seed = SERVER } = {}) {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign(seed, Buffer.from(signed)).toString('base64url')}`;
}

test('a receipt is read strictly', async () => {
  const about = { message: MESSAGE, publicKey: KEY.toString('hex') };
  assert.deepEqual(await client.verifyReceipt(receipt(), KEYS, about), CLAIMS);
  assert.deepEqual(await client.verifyReceipt(receipt(), { keys: [{ kty: 'RSA' }, jwk({ kid: 'other' }), jwk()] }), CLAIMS);
  const good = receipt();
  const hmac = `${part({ ...HEADER, alg: 'HS256' })}.${part(CLAIMS)}.`;
  for (const [name, jws, keys = KEYS, Class = client.VerificationError] of table([
    ['no signature', `${part({ ...HEADER, alg: 'none' })}.${part(CLAIMS)}.`],
    ['a MAC under the public key', hmac],
    ['another alg', receipt({ header: { ...HEADER, alg: 'ES256' } })],
    ['another type', receipt({ header: { ...HEADER, typ: 'JWT' } })],
    ['no type', receipt({ header: { alg: 'EdDSA', kid: KID } })],
    ['an extension', receipt({ header: { ...HEADER, crit: ['b64'], b64: false } })],
    ['no key', receipt({ header: { alg: 'EdDSA', typ: HEADER.typ } })],
    ['a key of its own', receipt({ header: { ...HEADER, jwk: jwk(), kid: 'mine' }, seed: SEED }), KEYS, client.UnknownKeyError],
    ['a header that is none', receipt({ header: 'x' })],
    ['another signer', receipt({ seed: SEED })],
    ['padding', `${good}=`],
    ['standard base64', good.replaceAll('-', '+').replaceAll('_', '/').replace(/.$/, '+')],
    ['two parts', good.slice(0, good.lastIndexOf('.'))],
    ['four parts', `${good}.`],
    ['white space', ` ${good}`],
    ['nothing', ''],
    ['far too much', `${good}${'A'.repeat(100_000)}`],
    ['a key for encryption', good, { keys: [jwk({ use: 'enc' })] }, client.UnknownKeyError],
    ['a key of another curve', good, { keys: [jwk({ crv: 'X25519' })] }, client.UnknownKeyError],
    ['a key that is too short', good, { keys: [jwk({ x: 'AAAA' })] }, client.UnknownKeyError],
    ['two keys of one name', good, { keys: [jwk(), jwk({ x: KEY.toString('base64url') })] }],
    ['no keys', good, { keys: [] }, client.ProtocolError],
    ['keys that are none', good, { keys: 'x' }, client.ProtocolError],
    ['claims without a signature', receipt({ claims: { ...CLAIMS, signature: undefined } }), KEYS, client.ProtocolError],
    ['claims that say too much', receipt({ claims: { ...CLAIMS, state: 'rejected' } }), KEYS, client.ProtocolError],
    ['claims of another type', receipt({ claims: { ...CLAIMS, jti: 5 } }), KEYS, client.ProtocolError],
  ])) {
    await assert.rejects(client.verifyReceipt(jws, keys, about), (error) => {
      assert.ok(error instanceof Class, `${name}: ${error}`);
      return true;
    });
  }
  // The server may have signed it; the wallet has not.
  const lie = receipt({ claims: { ...CLAIMS, signature: sign(SEED, Buffer.from('x')).toString('base64') } });
  await assert.rejects(client.verifyReceipt(lie, KEYS, about), /the wallet's signature/);
});

const BODY = Buffer.from(
  JSON.stringify({
    type: 'request.ended',
    timestamp: '2026-11-23T05:27:12.116Z',
    data: {
      request_id: CLAIMS.jti,
      public_key: CLAIMS.public_key,
      state: 'cancelled',
      attempt: 1,
      requester: { name: 'x' },
      deliver_by_ms: 1,
      expires_at_ms: 2,
      times: { queued_ms: 1 },
      message: 'aGk=',
      error: { code: 'cancelled', detail: 'x' },
    },
  }),
);
const NOW = 1_800_000_000_000;

function webhook({ id = 'evt_1', time = NOW / 1_000, body = BODY, seed = SERVER } = {}) {
  const signature = `v1a,${sign(seed, Buffer.concat([Buffer.from(`${id}.${time}.`), body])).toString('base64')}`;
  return { 'webhook-id': id, 'webhook-timestamp': String(time), 'webhook-signature': signature };
}

/** By a secret, as the other is by a key. */
function symmetric(secret, body = BODY) {
  const signature = createHmac('sha256', secret)
    .update(`evt_1.${NOW / 1_000}.`)
    .update(body)
    .digest('base64');
  return { ...webhook(), 'webhook-signature': `v1,${signature}` };
}

test('a webhook is verified by a secret, and what is given decides by what', async () => {
  const options = { now: NOW };
  const [old, next, other] = [24, 32, 64].map((length) => randomBytes(length));
  const text = (secret) => `whsec_${secret.toString('base64')}`;
  const whpk = `whpk_${publicKeyOf(SERVER).toString('base64')}`;
  const [byOld, byNext] = [symmetric(old), symmetric(next)];
  const both = { ...byOld, 'webhook-signature': [webhook(), byNext, byOld].map((headers) => headers['webhook-signature']).join(' ') };
  for (const [headers, keys] of table([
    [byOld, text(old)],
    [byNext, [text(old), text(next)]],
    [both, text(old)],
    [both, text(next)],
    [both, [text(other), whpk]],
    [both, KEYS],
    [symmetric(other), text(other)],
  ])) {
    assert.equal((await client.verifyWebhook(BODY, headers, keys, options)).webhook_id, 'evt_1');
  }
  const swapped = (headers, version) => ({ ...headers, 'webhook-signature': headers['webhook-signature'].replace(/^v1a?/, version) });
  for (const [headers, keys, body = BODY] of table([
    [byOld, text(next)],
    [byOld, [text(next), whpk]],
    [byOld, KEYS],
    [webhook(), text(old)],
    [swapped(byOld, 'v1a'), text(old)],
    [swapped(webhook(), 'v1'), whpk],
    [symmetric(old, Buffer.from('x')), text(old)],
    [byOld, text(old), Buffer.concat([BODY, Buffer.from(' ')])],
    // Whoever knows the public key knows no secret.
    [symmetric(publicKeyOf(SERVER)), whpk],
    [swapped(byOld, 'constructor'), text(old)],
  ])) {
    await assert.rejects(client.verifyWebhook(body, headers, keys, options), client.UnknownKeyError);
  }
  for (const wrong of ['whsec_', text(randomBytes(23)), text(randomBytes(65)), text(old).slice(0, -1), `${text(old)}\n`]) {
    await assert.rejects(client.verifyWebhook(BODY, byOld, wrong, options), (error) => {
      assert.ok(error instanceof TypeError, String(error));
      return wrong === 'whsec_' || !error.message.includes(wrong);
    });
  }
});

test('a webhook is read strictly', async () => {
  const options = { now: NOW };
  const good = webhook();
  const signature = good['webhook-signature'];
  const whpk = `whpk_${publicKeyOf(SERVER).toString('base64')}`;
  const other = webhook({ seed: SEED })['webhook-signature'];
  const upper = Object.fromEntries(Object.entries(good).map(([name, value]) => [name.toUpperCase(), value]));
  for (const [name, headers, keys = KEYS] of table([
    ['as it came', good],
    ['Headers', new Headers(good)],
    ['capitals', upper],
    ['a key of Standard Webhooks', good, whpk],
    ['several keys', good, [`whpk_${KEY.toString('base64')}`, whpk]],
    ['several signatures', { ...good, 'webhook-signature': `${other} v1,AAAA v2,x ${signature}` }],
    ['299 s ago', webhook({ time: NOW / 1_000 - 299 })],
    ['in 299 s', webhook({ time: NOW / 1_000 + 299 })],
    ['a list of one', { ...good, 'webhook-id': [good['webhook-id']] }],
  ])) {
    const event = await client.verifyWebhook(BODY, headers, keys, options).catch((error) => assert.fail(`${name}: ${error}`));
    assert.deepEqual([event.webhook_id, event.data.state], ['evt_1', 'cancelled'], name);
  }
  const twice = new Headers(good);
  twice.append('webhook-signature', signature);
  for (const [name, headers, body = BODY, keys = KEYS, Class = client.VerificationError] of table([
    ['another signer', webhook({ seed: SEED }), BODY, KEYS, client.UnknownKeyError],
    ['another id', { ...good, 'webhook-id': 'evt_2' }],
    ['another time', { ...good, 'webhook-timestamp': String(NOW / 1_000 + 1) }],
    ['301 s ago', webhook({ time: NOW / 1_000 - 301 })],
    ['in 301 s', webhook({ time: NOW / 1_000 + 301 })],
    ['a time that is none', webhook({ time: /** @type {any} */ ('1e9') })],
    ['no time', webhook({ time: /** @type {any} */ ('') })],
    ['an id with a dot', webhook({ id: 'evt.1' })],
    ['a missing header', { ...good, 'webhook-id': undefined }],
    ['a header twice', { ...good, 'webhook-signature': [signature, signature] }],
    ['a header twice, in two cases', { ...good, 'Webhook-Signature': signature }],
    ['a header twice, put together', twice],
    ['a time twice, put together', { ...good, 'webhook-timestamp': `${NOW / 1_000}, ${NOW / 1_000}` }],
    ['too many signatures', { ...good, 'webhook-signature': `${`${other} `.repeat(5)}${signature}` }],
    ['another version', { ...good, 'webhook-signature': signature.replace('v1a', 'v1') }],
    ['no signature', { ...good, 'webhook-signature': '' }],
    ['another body', good, Buffer.concat([BODY, Buffer.from(' ')])],
    ['another key', good, BODY, { keys: [jwk({ x: KEY.toString('base64url') })] }, client.UnknownKeyError],
    ['what is no JSON', webhook({ body: Buffer.from('{') }), Buffer.from('{'), KEYS, client.ProtocolError],
    [
      'another type',
      webhook({ body: Buffer.from('{"type":"x","timestamp":"","data":{}}') }),
      Buffer.from('{"type":"x","timestamp":"","data":{}}'),
      KEYS,
      client.ProtocolError,
    ],
  ])) {
    await assert.rejects(client.verifyWebhook(body, headers, keys, options), (error) => {
      assert.ok(error instanceof Class, `${name}: ${error}`);
      return true;
    });
  }
  await assert.rejects(client.verifyWebhook(/** @type {any} */ (JSON.parse(BODY.toString())), good, KEYS, options), /as it came/);
  await assert.rejects(client.verifyWebhook(BODY, good, 'whsec_AAAA', options), TypeError);
});

test('keys are fetched when they are needed, again for an unknown one, and once a minute at most', async () => {
  let keys = KEYS;
  const server = await fakeServer(() => ({ headers: { 'content-type': 'application/jwk-set+json' }, body: keys }));
  try {
    const clock = new TestClock();
    const asking = new client.Countersign(server.url, { clock });
    await Promise.all([asking.verifyReceipt(receipt()), asking.verifyReceipt(receipt())]);
    assert.equal(server.calls.length, 1);
    const next = receipt({ header: { ...HEADER, kid: 'key-2' }, seed: SEED });
    keys = { keys: [jwk(), jwk({ kid: 'key-2', x: KEY.toString('base64url') })] };
    for (let count = 0; count < 20; count++) await assert.rejects(asking.verifyReceipt(next), client.UnknownKeyError);
    assert.equal(server.calls.length, 1);
    clock.at += 60_000;
    await asking.verifyReceipt(next);
    assert.equal(server.calls.length, 2);
    // What the server has withdrawn is not believed for ever.
    keys = { keys: [jwk()] };
    clock.at += 3_600_000;
    await assert.rejects(asking.verifyReceipt(next), client.UnknownKeyError);
    assert.equal(server.calls.length, 3);
  } finally {
    await server.close();
  }
});

test('events are the same however their stream is cut', () => {
  const text = ': hello\r\nevent: a\r\ndata: 1\r\ndata:2ü\r\n\r\nevent:b\rdata:\r\rid: 7\nretry: 1\ndata: x\n\n\n\ndata: never whole';
  const bytes = new TextEncoder().encode(text);
  const expected = [
    { name: 'a', data: '1\n2ü' },
    { name: 'b', data: '' },
    { name: 'message', data: 'x' },
  ];
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new EventReader(1_000);
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(events, expected, `in parts of ${size}`);
  }
});

test('a stream that is only kept alive stays small for ever', () => {
  const reader = new EventReader(100);
  for (let count = 0; count < 1_000; count++) assert.deepEqual(reader.push(new TextEncoder().encode(':\n\n: still here\n')), []);
});
