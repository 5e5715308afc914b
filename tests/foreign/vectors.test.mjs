// The golden vectors of protocol/vectors by means that share nothing with the reference implementation: node:crypto (OpenSSL), JSON.parse, and
// curve arithmetic of its own. Run with `node --test tests/foreign/`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { admission } from './curve.mjs';
import { decodeBase64, introductionBytes, publicKeyOf, RESERVED_PREFIX, sign, verify } from './ed25519.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../../protocol/vectors/${name}.json`, import.meta.url), 'utf8'));
const { frames } = read('frames');
const { proofs, messages } = read('proofs');
const refused = read('refused');

const whole = (text) => (typeof text === 'string' ? text : text.map(([piece, times]) => piece.repeat(times)).join(''));
const proofBytes = (vector) =>
  introductionBytes({
    challenge: decodeBase64(vector.challenge, 32),
    publicKey: decodeBase64(vector.public_key, 32),
    audience: vector.audience,
    origin: vector.origin,
  });

test('proofs are over these bytes, come out the same, and hold', () => {
  for (const vector of proofs) {
    const seed = Buffer.from(vector.seed, 'hex');
    const signed = proofBytes(vector);
    assert.equal(signed.toString('hex'), vector.signed, vector.name);
    assert.equal(publicKeyOf(seed).toString('base64'), vector.public_key, vector.name);
    assert.equal(sign(seed, signed).toString('base64'), vector.proof, vector.name);
    assert.ok(verify(decodeBase64(vector.public_key, 32), signed, decodeBase64(vector.proof, 64)), vector.name);
  }
  assert.equal(proofs.length, 6);
});

test('signatures of messages come out the same, and hold', () => {
  for (const vector of messages) {
    const [seed, message] = [Buffer.from(vector.seed, 'hex'), decodeBase64(vector.message)];
    assert.equal(publicKeyOf(seed).toString('base64'), vector.public_key, vector.name);
    assert.equal(sign(seed, message).toString('base64'), vector.signature, vector.name);
    assert.ok(verify(decodeBase64(vector.public_key, 32), message, decodeBase64(vector.signature, 64)), vector.name);
    assert.ok(!message.subarray(0, RESERVED_PREFIX.length).equals(RESERVED_PREFIX), vector.name);
  }
  assert.equal(messages.length, 8);
});

test('keys that sign are admitted', () => {
  const keys = new Set([...proofs, ...messages].map((vector) => vector.public_key));
  for (const key of keys) assert.equal(admission(decodeBase64(key, 32)), 'admitted', key);
});

test('refused keys are refused, for the reason given', () => {
  for (const vector of refused.public_keys) {
    const decode = () => decodeBase64(vector.public_key, 32);
    if (vector.why === 'encoding') assert.throws(decode, vector.name);
    else assert.equal(admission(decode()), vector.why, vector.name);
    assert.equal(vector.code, vector.why === 'encoding' ? 'malformed' : 'key_refused', vector.name);
  }
  assert.equal(refused.public_keys.length, 40);
});

test('refused messages are refused, for the reason given', () => {
  const why = (text) => {
    let bytes;
    try {
      bytes = decodeBase64(text);
    } catch {
      return 'encoding';
    }
    if (bytes.length === 0) return 'empty';
    if (bytes.length > 65_536) return 'too_long';
    return bytes.subarray(0, 13).equals(RESERVED_PREFIX) ? 'reserved_prefix' : 'fine';
  };
  for (const vector of refused.messages) assert.equal(why(whole(vector.message)), vector.why, vector.name);
  assert.equal(refused.messages.length, 12);
});

test('refused proofs do not hold', () => {
  for (const vector of refused.proofs) {
    const holds = verify(decodeBase64(vector.public_key, 32), proofBytes(vector), decodeBase64(vector.proof, 64));
    assert.equal(holds, false, vector.name);
  }
  assert.equal(refused.proofs.length, 11);
});

test('refused signatures do not hold, but for the ones said to pass elsewhere', () => {
  for (const vector of refused.signatures) {
    const holds = verify(decodeBase64(vector.public_key, 32), decodeBase64(vector.message), decodeBase64(vector.signature, 64));
    assert.equal(holds, vector.passes_elsewhere, vector.name);
  }
  assert.equal(refused.signatures.length, 13);
});

test('every text of a frame means the same', () => {
  // Fields nobody knows and optional ones that are null count for nothing.
  const meaning = (text) => {
    const { x, ...known } = JSON.parse(text);
    return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null));
  };
  for (const { name, canonical, also } of frames) {
    assert.equal(JSON.stringify(JSON.parse(canonical)), canonical, name);
    for (const text of also) assert.deepEqual(meaning(text), meaning(canonical), name);
  }
  assert.equal(frames.length, 42);
});

test('frames that are refused as no JSON are no JSON', () => {
  // What JSON.parse lets through, the protocol refuses by its own rules: fields twice, forms, limits, half a surrogate pair.
  const parses = (text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const wanted = [
    'nothing',
    'not JSON',
    'cut short',
    'a comma too many',
    'single quotes',
    'a comment',
    'a byte order mark',
    'text behind',
    'two frames in one',
    'a control character in a string',
    'arrays 60,000 deep that never close',
    'a number with a leading zero',
    'a number not one',
  ];
  assert.deepEqual(
    refused.frames.filter(({ text }) => !parses(whole(text))).map(({ name }) => name),
    wanted,
  );
});
