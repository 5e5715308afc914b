import { type Bytes, fromBase64, isBytes, toBase64Url } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';

/** An Ed25519 private key as a JSON Web Key (RFC 8037 §2). */
export interface PrivateJwk {
  kty: 'OKP';
  crv: 'Ed25519';
  /** The public key: 32 bytes in base64url. */
  x: string;
  /** The seed: 32 bytes in base64url. */
  d: string;
}

/** A seed, and the public key that was named with it, in base64. @internal */
export interface Secret {
  readonly seed: Bytes;
  readonly publicKey: string | undefined;
}

/** @internal */
export function invalidKey(message: string, cause?: unknown): CountersignError {
  return new CountersignError('invalid_key', message, { cause });
}

/** Copies a seed, whose length is looked at where the key is made. @internal */
export function readSeed(seed: Uint8Array): Secret {
  if (!isBytes(seed)) throw new CountersignError('invalid_seed', 'a seed is a Uint8Array of 32 bytes');
  return { seed: new Uint8Array(seed), publicKey: undefined };
}

/** The 48 bytes of PKCS#8 version 1 (RFC 8410 §7), which everything reads. @internal */
export function toPkcs8(seed: Uint8Array): Bytes {
  return Uint8Array.of(0x30, 0x2e, 0x02, 1, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, ...seed);
}

/** @internal */
export function toJwk(seed: Uint8Array, publicKey: string): PrivateJwk {
  // biome-ignore lint/style/noNonNullAssertion: a key tells its public key in canonical base64
  return { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(fromBase64(publicKey)!), d: toBase64Url(seed) };
}
