import { fromBase64 } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';
import { verify as coreVerify, loadEd25519, Verdict } from './ed25519.js';
import { readPublicKey } from './public-key.js';
import { isReserved, MOST_BYTES } from './signer.js';

/**
 * Whether a signature holds over a message, by the strictest rules in use (RFC 8032, canonical encodings, no point of small order).
 *
 * @param publicKey 32 bytes in base64
 * @param message 1 to 65,536 bytes that do not start with 0xFF and `countersign/`
 * @param signature 64 bytes in base64
 * @throws {CountersignError} `invalid_public_key`, `invalid_signature`, `invalid_message` for what cannot even be read.
 */
export async function verify(publicKey: string, message: Uint8Array, signature: string): Promise<boolean> {
  const key = readPublicKey(publicKey);
  const given = fromBase64(signature);
  if (given?.length !== 64) throw new CountersignError('invalid_signature', 'a signature is 64 bytes in standard base64, padded');
  if (!(message instanceof Uint8Array) || message.length === 0 || message.length > MOST_BYTES || isReserved(message)) {
    throw new CountersignError('invalid_message', `a message has 1 to ${MOST_BYTES} bytes, and does not start with 0xFF "countersign/"`);
  }
  await loadEd25519();
  return coreVerify(key, message, given) === Verdict.Holds;
}
