import type { Secret } from '../keys/key-formats.js';
import { invalid } from './import-error.js';
import { fromBase64, toBase64 } from './shared.js';

/** Reads a private JWK (RFC 8037 §2) with its public key. */
export function readJwk(value: object): Secret {
  const { kty, crv, d, x, format, keys } = value as Partial<Record<string, unknown>>;
  if (format === 'countersign-key') throw invalid("it is encrypted by this package: importEncrypted of 'countersign/encrypted' reads it");
  if (keys !== undefined) throw invalid('it is a set of JWKs: give one of its keys');
  if (kty !== 'OKP' || crv !== 'Ed25519') throw invalid('it is no JWK with kty "OKP" and crv "Ed25519" (RFC 8037)');
  if (d === undefined) throw invalid('it is the JWK of a public key: there is no d');
  const seed = fromBase64Url(d);
  const publicKey = fromBase64Url(x);
  if (seed === undefined) throw invalid('the JWK has no private key d of 32 bytes in base64url');
  if (publicKey === undefined) throw invalid('the JWK has no public key x of 32 bytes in base64url');
  return { seed, publicKey: toBase64(publicKey) };
}

/** 32 bytes in base64url without padding. */
function fromBase64Url(text: unknown): Secret['seed'] | undefined {
  if (typeof text !== 'string' || !/^[\w-]{43}$/.test(text)) return undefined;
  return fromBase64(`${text.replaceAll('-', '+').replaceAll('_', '/')}=`);
}
