// Ed25519 by node:crypto, keys as the 32 bytes of RFC 8032, and the introduction proof of §3 of the specification.
import { createPrivateKey, createPublicKey, sign as signWith, verify as verifyWith } from 'node:crypto';

// What a raw key is wrapped in (RFC 8410) so that node:crypto reads it.
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** What no message may begin with (§4). */
export const RESERVED_PREFIX = Buffer.from('\xffcountersign/', 'latin1');

const privateKey = (seed) => createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });

export const publicKeyOf = (seed) => createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(-32);

export const sign = (seed, bytes) => signWith(null, bytes, privateKey(seed));

/** As OpenSSL verifies: RFC 8032 without cofactor, which also lets an `R` of small order pass. */
export const verify = (publicKey, bytes, signature) =>
  verifyWith(null, bytes, createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' }), signature);

/** The bytes that an introduction proof is a signature over (§3). */
export function introductionBytes({ challenge, publicKey, audience, origin }) {
  const withLength = (text) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const context = Buffer.from('\xffcountersign/v1/introduction\0', 'latin1');
  return Buffer.concat([context, challenge, publicKey, withLength(audience), withLength(origin)]);
}

/** Decodes base64 in its one canonical form (§1), of `length` bytes where that is given; throws at any other text. */
export function decodeBase64(text, length) {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new Error('not canonical base64');
  if (length !== undefined && bytes.length !== length) throw new Error(`${bytes.length} bytes, not ${length}`);
  return bytes;
}
