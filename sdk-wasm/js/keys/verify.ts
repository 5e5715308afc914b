import { fromBase64, isBytes } from '../common/bytes.js';
import { CountersignError, type ErrorCode } from '../common/errors.js';
import { verify as coreVerify, loadEd25519, Verdict } from './ed25519.js';
import { isReserved } from './signer.js';

/**
 * Whether a signature holds over a message, by the strictest rules in use (RFC 8032, canonical encodings, no point of small order). What comes
 * from outside makes it answer, never throw: false for a text that is no key or no signature, and for what starts with 0xFF and
 * `countersign/`, which no wallet signs as a message.
 *
 * @example
 * ```js
 * await verify(key.publicKey, message, await key.sign(message)); // true
 * ```
 * @param publicKey 32 bytes in base64
 * @param message any bytes, or none
 * @param signature 64 bytes: as `sign` gives them, or in base64, as a backend gets them
 * @throws {CountersignError} `invalid_public_key`, `invalid_message`, `invalid_signature` for a value of another type, which is a mistake of the
 *   program; those of `init()`.
 */
export async function verify(publicKey: string, message: Uint8Array, signature: string | Uint8Array): Promise<boolean> {
  checkType(typeof publicKey === 'string', 'invalid_public_key', 'a public key is base64');
  checkType(isBytes(message), 'invalid_message', 'a message is a Uint8Array');
  checkType(typeof signature === 'string' || isBytes(signature), 'invalid_signature', 'a signature is a Uint8Array or base64');
  const key = fromBase64(publicKey);
  const given = typeof signature === 'string' ? fromBase64(signature) : signature;
  if (key === undefined || given === undefined || isReserved(message)) return false;
  await loadEd25519();
  return coreVerify(key, message, given) === Verdict.Holds;
}

function checkType(holds: boolean, code: ErrorCode, message: string): void {
  if (!holds) throw new CountersignError(code, message);
}
