import type { Secret } from '../keys/key-formats.js';
import { invalid } from './import-error.js';
import { toBase64 } from './shared.js';

const SEED_LENGTH = 32;

/** From the algorithm, id-Ed25519, to the head of the seed (RFC 8410 §7). */
const ALGORITHM = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const SEED_AT = 16;
const SEED_END = SEED_AT + SEED_LENGTH;

const NO_PKCS8 = 'it looks like DER, and is not PKCS#8 of an Ed25519 private key in the clear (RFC 8410)';

/** A seed, a seed and its public key, or PKCS#8 in DER. */
export function keyOfBytes(bytes: Uint8Array): Secret {
  // First: what is cut off PKCS#8 may be as long as a seed.
  if (bytes[0] === 0x30 && isEd25519(bytes)) return readPkcs8(bytes);
  if (bytes.length === SEED_LENGTH) return { seed: new Uint8Array(bytes), publicKey: undefined };
  if (bytes.length === 2 * SEED_LENGTH) return keyOfPair(bytes);
  if (bytes[0] === 0x30 && isLengthOf(bytes)) throw invalid(NO_PKCS8);
  throw invalid(`a seed is 32 bytes, or 64 with its public key, and this is ${bytes.length}`);
}

/** A seed, and after it its public key. */
export function keyOfPair(pair: Uint8Array): Secret {
  return { seed: new Uint8Array(pair.subarray(0, SEED_LENGTH)), publicKey: toBase64(pair.subarray(SEED_LENGTH)) };
}

/** Whether what comes after the first byte is the length of the rest, in DER. */
function isLengthOf(bytes: Uint8Array): boolean {
  const [, first = 0, second = 0, third = 0] = bytes;
  if (first < 0x80) return bytes.length === 2 + first;
  return first === 0x81 ? bytes.length === 3 + second : first === 0x82 && bytes.length === 4 + second * 256 + third;
}

/** Whether it names the algorithm where PKCS#8 does. */
function isEd25519(der: Uint8Array): boolean {
  return ALGORITHM.every((byte, at) => der[5 + at] === byte);
}

/** Reads PKCS#8, version 1 or 2 (RFC 5958 §2), of an Ed25519 key. */
function readPkcs8(der: Uint8Array): Secret {
  const [, length, integer, size, version] = der;
  // All lengths below 128 are one byte in DER; only attributes could make it longer.
  const isWhole = length === der.length - 2 && integer === 0x02 && size === 1 && (version === 0 || version === 1) && der.length >= SEED_END;
  if (!isWhole) throw invalid(NO_PKCS8);
  let at = SEED_END;
  if (der[at] === 0xa0) at += 2 + (der[at + 1] ?? 0); // attributes, such as a name
  const hasPublicKey = version === 1 && der.length - at === 35 && der[at] === 0x81 && der[at + 1] === 33 && der[at + 2] === 0;
  if (!hasPublicKey && at !== der.length) throw invalid('something follows the private key in PKCS#8 that has no place there');
  return {
    seed: new Uint8Array(der.subarray(SEED_AT, SEED_END)),
    publicKey: hasPublicKey ? toBase64(der.subarray(at + 3)) : undefined,
  };
}
