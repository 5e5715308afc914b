import { fromBase64, toBase64, toBase64Url } from '../common/bytes.js';
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
  readonly seed: Uint8Array<ArrayBuffer>;
  readonly publicKey: string | undefined;
}

/** @internal */
export function invalidKey(message: string, cause?: unknown): CountersignError {
  return new CountersignError('invalid_key', message, { cause });
}

/** Copies a seed, whose length is looked at where the key is made. @internal */
export function readSeed(seed: Uint8Array): Secret {
  if (!(seed instanceof Uint8Array)) throw new CountersignError('invalid_seed', 'a seed is a Uint8Array of 32 bytes');
  return { seed: new Uint8Array(seed), publicKey: undefined };
}

/** From the algorithm, id-Ed25519, to the head of the seed (RFC 8410 §7). */
const ALGORITHM = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const SEED_AT = 16;
const SEED_END = 48;

/** Reads PKCS#8, version 1 or 2 (RFC 5958 §2), of an Ed25519 key: DER, or that in PEM (RFC 7468 §10). @internal */
export function readPkcs8(source: Uint8Array | string): Secret {
  const der = typeof source === 'string' ? fromPem(source) : source;
  if (!(der instanceof Uint8Array)) throw invalidKey('PKCS#8 is a Uint8Array of DER, or a string of PEM');
  const [tag, length, integer, size, version] = der;
  // All lengths below 128 are one byte in DER; only attributes could make it longer.
  const isEd25519 =
    tag === 0x30 &&
    length === der.length - 2 &&
    length < 0x80 &&
    integer === 0x02 &&
    size === 1 &&
    (version === 0 || version === 1) &&
    ALGORITHM.every((byte, at) => der[5 + at] === byte) &&
    der.length >= SEED_END;
  if (!isEd25519) throw invalidKey('not an Ed25519 private key in PKCS#8 (RFC 8410)');
  let at = SEED_END;
  if (der[at] === 0xa0) at += 2 + (der[at + 1] ?? 0); // attributes, such as a name
  const hasPublicKey = version === 1 && der.length - at === 35 && der[at] === 0x81 && der[at + 1] === 33 && der[at + 2] === 0;
  if (!hasPublicKey && at !== der.length) throw invalidKey('something follows the private key in PKCS#8 that has no place there');
  const secret = {
    seed: new Uint8Array(der.subarray(SEED_AT, SEED_END)),
    publicKey: hasPublicKey ? toBase64(der.subarray(at + 3)) : undefined,
  };
  if (der !== source) der.fill(0);
  return secret;
}

function fromPem(text: string): Uint8Array | undefined {
  if (text.includes('BEGIN ENCRYPTED PRIVATE KEY')) throw invalidKey('the PKCS#8 is encrypted: decrypt it first, as `openssl pkey` does');
  const [, body] = /^\s*-----BEGIN PRIVATE KEY-----([\s\w+/=]+)-----END PRIVATE KEY-----\s*$/.exec(text) ?? [];
  const der = body === undefined ? undefined : fromBase64(body.replace(/\s/g, ''));
  if (der === undefined) throw invalidKey('not PEM with one "PRIVATE KEY" in it');
  return der;
}

/** The 48 bytes of PKCS#8 version 1, which everything reads. @internal */
export function toPkcs8(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x30, SEED_END - 2, 0x02, 1, 0, ...ALGORITHM, ...seed);
}

/** Reads a private JWK with its public key. @internal */
export function readJwk(jwk: Partial<Record<keyof PrivateJwk, string>>): Secret {
  if (jwk?.kty !== 'OKP' || jwk.crv !== 'Ed25519') throw invalidKey('not a JWK with kty "OKP" and crv "Ed25519" (RFC 8037)');
  const seed = fromBase64Url(jwk.d);
  const publicKey = fromBase64Url(jwk.x);
  if (seed === undefined) throw invalidKey('the JWK has no private key d of 32 bytes in base64url');
  if (publicKey === undefined) throw invalidKey('the JWK has no public key x of 32 bytes in base64url');
  return { seed, publicKey: toBase64(publicKey) };
}

/** @internal */
export function toJwk(seed: Uint8Array, publicKey: string): PrivateJwk {
  // biome-ignore lint/style/noNonNullAssertion: a key tells its public key in canonical base64
  return { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(fromBase64(publicKey)!), d: toBase64Url(seed) };
}

/** 32 bytes in base64url without padding. */
function fromBase64Url(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== 'string' || !/^[\w-]{43}$/.test(text)) return undefined;
  return fromBase64(`${text.replaceAll('-', '+').replaceAll('_', '/')}=`);
}
