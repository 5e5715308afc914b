import { isBytes } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';

/**
 * Signs with one Ed25519 key (RFC 8032), wherever that is kept. The package has two, {@link Key} and {@link WebCryptoKey}; any
 * object of this form is as good to a wallet.
 *
 * A wallet asks for two kinds of signatures: one for each connection, over bytes that start with 0xFF and `countersign/`, which
 * prove the key to the server, and one for each request that is approved, over its message. It sends nothing that does not
 * verify under `publicKey`. A signer that fails, or gives something else, fails what it was asked for: a request ends with
 * `signer_failed` or `invalid_signature` here and is left to the key's other devices, and is not tried again; the proof of a
 * connection closes the wallet with that error. One that takes longer than the request has, or than the ten seconds a
 * connection has for its introduction, is not waited for. A decision is written down when it is signed: where the page is
 * reloaded while a signer takes its time, the human is asked again.
 *
 * @example
 * ```js
 * await init(); // openKey() or a Key would have loaded the WebAssembly already
 * const wallet = new Wallet({
 *   key: {
 *     publicKey: '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
 *     storage: 'hardware',
 *     sign: (bytes) => device.sign(bytes),
 *   },
 * });
 * ```
 */
export interface Signer {
  /** The public key: 32 bytes in standard base64, padded; canonical and of prime order. */
  readonly publicKey: string;
  /**
   * Where the secret is: `webcrypto` (IndexedDB, not extractable), `sealed` (IndexedDB, encrypted under a key that is not
   * extractable), `memory` (WebAssembly), or a word of a custom signer's own.
   */
  readonly storage: string;
  /** Signs these very bytes: 64 bytes, now or later. */
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The bytes that wallets here asked to have signed. */
const asked = new WeakSet<Uint8Array>();

/** 0xFF and `countersign/`: no message starts so, and every signature of the protocol's own does (specification §3). */
const RESERVED_PREFIX = [0xff, ...new TextEncoder().encode('countersign/')];

/** As the protocol bounds a message. @internal */
export const MOST_BYTES = 65_536;

/** @internal */
export function isReserved(bytes: Uint8Array): boolean {
  return RESERVED_PREFIX.every((byte, at) => bytes[at] === byte);
}

/** Refuses what could stand for the protocol's own signatures, unless it comes from a wallet. @internal */
export function checkSignable(bytes: Uint8Array): void {
  if (!isBytes(bytes)) throw new CountersignError('invalid_message', 'what is to be signed is a Uint8Array');
  if (!asked.has(bytes) && isReserved(bytes)) {
    throw new CountersignError(
      'invalid_message',
      'the message starts with the reserved prefix 0xFF "countersign/", and only the very array that a wallet asks to sign may',
    );
  }
}

/** Asks a signer for a wallet: bytes that nothing is known of, and that nobody changes any more. @internal */
export async function ask(signer: Signer, bytes: Uint8Array): Promise<Uint8Array> {
  asked.add(bytes);
  const signature: unknown = await signer.sign(bytes);
  if (!isBytes(signature)) throw new TypeError('what it gave is no Uint8Array');
  return new Uint8Array(signature);
}

/** The public key of what is given as a signer. @internal */
export function publicKeyOf(signer: Signer): string {
  if (typeof signer?.publicKey !== 'string' || typeof signer.sign !== 'function') {
    throw new CountersignError(
      'invalid_key',
      'no key: pass await openKey(), await Key.generate(), or an object with publicKey and sign(bytes)',
    );
  }
  return signer.publicKey;
}
