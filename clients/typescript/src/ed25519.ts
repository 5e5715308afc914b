// Ed25519 (RFC 8032 §5.1), verified by the platform's WebCrypto, and before that as strictly as encodings alone allow.

import { decodeHex, equal } from './bytes.js';

/** Says whether a signature of 64 bytes is valid for a message under a key of 32 bytes. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

/** The order of the base point, little-endian. */
const ORDER = hex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
/** The field's prime, 2^255 - 19. */
const PRIME = hex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
/** The y coordinates of the points of small order: with such a key, or such an R, a signature may be valid for many messages. */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(hex);

/**
 * Verifies with WebCrypto.
 *
 * @throws {DOMException} where the platform's WebCrypto has no Ed25519
 */
export const verifyEd25519: Verify = async (publicKey, message, signature) => {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  if (!isPoint(publicKey) || !isPoint(signature.subarray(0, 32)) || !isLess(signature.subarray(32), ORDER)) return false;
  const key = await importKey(publicKey);
  return key !== undefined && crypto.subtle.verify('Ed25519', key, new Uint8Array(signature), new Uint8Array(message));
};

/** Undefined where the bytes are no point of the curve, which some platforms say at once and others when they verify. */
async function importKey(publicKey: Uint8Array): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey('raw', new Uint8Array(publicKey), 'Ed25519', false, ['verify']);
  } catch (error) {
    if (error instanceof Error && error.name === 'DataError') return undefined;
    throw error;
  }
}

/** Whether it is canonical and not of small order. Whether it is on the curve the platform finds out. */
function isPoint(bytes: Uint8Array): boolean {
  const y = new Uint8Array(bytes);
  y[31] = (y[31] ?? 0) & 0x7f;
  return isLess(y, PRIME) && !SMALL_ORDER.some((small) => equal(small, y));
}

/** Of little-endian numbers of 32 bytes. */
function isLess(one: Uint8Array, other: Uint8Array): boolean {
  for (let index = 31; index >= 0; index--) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function hex(text: string): Uint8Array {
  return decodeHex(text) ?? new Uint8Array();
}
