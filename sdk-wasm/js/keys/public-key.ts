import { fromBase64, toBase64Url } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';

/** A way to write a public key as text. */
export type PublicKeyFormat = 'base64' | 'base64url' | 'hex' | 'base58' | 'did:key';

/** An Ed25519 public key as a JSON Web Key (RFC 8037 §2). */
export interface PublicJwk {
  kty: 'OKP';
  crv: 'Ed25519';
  /** 32 bytes in base64url. */
  x: string;
}

/**
 * Writes a public key in another way: base64 (the package's own), base64url without padding, hex in lower case, base58 as Bitcoin
 * and Solana write it, `did:key` (W3C CCG did:key, `did:key:z6Mk…`), or a JSON Web Key.
 *
 * @example
 * ```js
 * formatPublicKey(wallet.publicKey, 'did:key'); // 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
 * formatPublicKey(wallet.publicKey, 'jwk');     // { kty: 'OKP', crv: 'Ed25519', x: 'Lm_M42cB3HkUiODQsXRcweM6TByfzEHGO9ND274JcOY' }
 * ```
 * @param publicKey 32 bytes in base64
 * @throws {CountersignError} `invalid_public_key` unless it is that.
 */
export function formatPublicKey(publicKey: string, format: 'jwk'): PublicJwk;
export function formatPublicKey(publicKey: string, format: PublicKeyFormat): string;
export function formatPublicKey(publicKey: string, format: PublicKeyFormat | 'jwk'): string | PublicJwk {
  const bytes = readPublicKey(publicKey);
  switch (format) {
    case 'base64':
      return publicKey;
    case 'base64url':
      return toBase64Url(bytes);
    case 'hex':
      return hex(bytes);
    case 'base58':
      return base58(bytes);
    // The multicodec of Ed25519 public keys, 0xed, as a varint; z says base58.
    case 'did:key':
      return `did:key:z${base58(Uint8Array.of(0xed, 0x01, ...bytes))}`;
    case 'jwk':
      return { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(bytes) };
    default:
      throw new TypeError(`no format of public keys: ${String(format satisfies never)}`);
  }
}

/** @internal */
export function readPublicKey(text: string): Uint8Array {
  const bytes = fromBase64(text);
  if (bytes?.length !== 32) throw new CountersignError('invalid_public_key', 'a public key is 32 bytes in standard base64, padded');
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** One number in base 58, after one digit 1 for each leading zero byte. */
function base58(bytes: Uint8Array): string {
  let digits = '';
  for (let rest = BigInt(`0x${hex(bytes)}`); rest > 0n; rest /= 58n) digits = BASE58[Number(rest % 58n)] + digits;
  const first = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(first < 0 ? bytes.length : first) + digits;
}
