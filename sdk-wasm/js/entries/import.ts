import type { Secret } from '../keys/key-formats.js';
import type { KeyName } from '../keys/web-crypto-key.js';
import { keyOfBytes, keyOfPair } from './import-bytes.js';
import { invalid } from './import-error.js';
import { readJwk } from './import-jwk.js';
import { decode, readPem } from './import-pem.js';
import { Key, WebCryptoKey } from './shared.js';

/** What a file or a form holds: its text or bytes, or what `JSON.parse` made of it. */
export type KeySource = string | Uint8Array | readonly number[] | object;

/**
 * The key in what the usual tools write, found out by looking at it:
 *
 * - PKCS#8 (RFC 8410), version 1 or 2, in PEM or DER, as `openssl genpkey -algorithm ed25519` writes it;
 * - the file of `ssh-keygen -t ed25519`, without a passphrase;
 * - a JSON Web Key (RFC 8037) with `d` and `x`, whatever else it says;
 * - the 64 numbers of `solana-keygen`, and 64 bytes of seed and public key of other libraries;
 * - a seed of 32 bytes as it is, or in hexadecimal, base64 or base64url.
 *
 * A public key beside the secret has to belong to it. White space around a text, and within hexadecimal and base64, is passed over.
 *
 * @example
 * ```js
 * import { importKey } from 'countersign/import';
 *
 * const key = await importKey(await file.text());
 * ```
 * @throws {CountersignError} `invalid_key` for anything else, with what it is and what can be done, as for an encrypted file; never with a
 *   part of the secret.
 */
export async function importKey(source: KeySource): Promise<Key> {
  return Key.of(read(source));
}

/**
 * As {@link importKey}, into the browser's own keeping: never to be given out again, and kept where a `name` is given.
 *
 * @throws {CountersignError} as {@link importKey}; `no_webcrypto`; `key_exists` where another is kept under that name; `storage_unavailable`.
 */
export async function importWebCryptoKey(source: KeySource, options: KeyName = {}): Promise<WebCryptoKey> {
  return WebCryptoKey.take(read(source), options);
}

function read(source: KeySource): Secret {
  if (typeof source === 'string') return readText(source);
  if (Array.isArray(source)) return readNumbers(source);
  if (ArrayBuffer.isView(source)) return readBytes(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  if (typeof source === 'object' && source !== null) return readJwk(source);
  throw invalid('a key is given as text, bytes, or what JSON.parse made of its file');
}

/** The bytes of a file may be those of a text. */
function readBytes(bytes: Uint8Array): Secret {
  const isText = bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
  return isText ? readText(String.fromCharCode(...bytes)) : keyOfBytes(bytes);
}

function readText(given: string): Secret {
  const text = given.replace(/^\uFEFF/, '').trim();
  if (text === '') throw invalid('there is nothing in it');
  if (text.includes('-----BEGIN ')) return readPem(text);
  if (/^[{[]/.test(text)) return readJson(text);
  if (/^(ssh|ecdsa|sk)-[\w-]+ /.test(text))
    throw invalid('it is a public key of SSH; the private one is in the file beside it, without .pub');
  const compact = text.replace(/\s/g, '');
  const bytes = /^(0x)?([\da-f]{2})+$/i.test(compact) ? fromHex(compact.replace(/^0x/i, '')) : decode(compact);
  if (bytes === undefined) throw invalid('it is no PEM, JSON, hexadecimal or base64');
  try {
    return keyOfBytes(bytes);
  } finally {
    bytes.fill(0);
  }
}

function readJson(text: string): Secret {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the engine says of it quotes the text.
    throw invalid('it looks like JSON and is none');
  }
  return Array.isArray(value) ? readNumbers(value) : readJwk(value as object);
}

function readNumbers(numbers: readonly unknown[]): Secret {
  const isByte = (value: unknown) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 256;
  if (!numbers.every(isByte) || numbers.length !== 64) {
    throw invalid(`an array is of 64 numbers from 0 to 255, as solana-keygen writes it, this one has ${numbers.length}`);
  }
  return keyOfPair(Uint8Array.from(numbers as number[]));
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
