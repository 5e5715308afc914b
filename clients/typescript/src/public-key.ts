// A public key in any of the spellings that the API takes, docs/http-api.md.

import { decodeBase64, decodeBase64Url, decodeHex, encodeBase64 } from './bytes.js';

const LENGTH = 32;
const DID_KEY = 'did:key:z';
/** The code of an Ed25519 key in multicodec, as a varint. */
const ED25519_PUB = [0xed, 0x01];
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/**
 * What a spelling may mean: one key, none, or two where 43 characters are base58btc and base64url at once. Of two the server takes the one
 * that is a key, and tells it in its answer.
 */
export function readings(key: string | Uint8Array): Uint8Array[] {
  if (typeof key !== 'string') return key.length === LENGTH ? [new Uint8Array(key)] : [];
  if (key.startsWith(DID_KEY)) return didKey(key.slice(DID_KEY.length));
  // Nothing longer is any spelling, and base58 takes longer the more there is of it.
  if (key.length > 2 * LENGTH) return [];
  if (key.length === 2 * LENGTH) return ofLength([decodeHex(key)]);
  return ofLength([decodeBase64(key), decodeBase64Url(key.replace(/=$/, '')), decodeBase58(key)]).filter(isFirst);
}

/** As the wire has it. */
export function spelled(key: string | Uint8Array): string {
  return typeof key === 'string' ? key : encodeBase64(key);
}

function ofLength(found: (Uint8Array | undefined)[]): Uint8Array[] {
  return found.filter((bytes): bytes is Uint8Array => bytes?.length === LENGTH);
}

function isFirst(bytes: Uint8Array, index: number, all: Uint8Array[]): boolean {
  return all.findIndex((other) => encodeBase64(other) === encodeBase64(bytes)) === index;
}

function didKey(text: string): Uint8Array[] {
  if (text.length > 2 * LENGTH) return [];
  const bytes = decodeBase58(text);
  const isEd25519 = bytes !== undefined && ED25519_PUB.every((byte, index) => bytes[index] === byte);
  return isEd25519 ? ofLength([bytes.subarray(ED25519_PUB.length)]) : [];
}

/** Short texts only: its time grows with the square of the length. */
function decodeBase58(text: string): Uint8Array | undefined {
  const digits = [...text].map((char) => BASE58.indexOf(char));
  if (digits.includes(-1)) return undefined;
  const bytes: number[] = [];
  for (const digit of digits) {
    let carry = digit;
    for (let index = 0; index < bytes.length; index++) {
      carry += (bytes[index] ?? 0) * 58;
      bytes[index] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  const zeros = digits.findIndex((digit) => digit !== 0);
  return Uint8Array.from([...Array(zeros === -1 ? digits.length : zeros).fill(0), ...bytes.reverse()]);
}
