import { verify as coreVerify } from './core.js';
import { guarded } from './errors.js';
import { init } from './runtime.js';

/**
 * Whether a signature holds over a message, by the strictest rules in use (RFC 8032, canonical encodings, no point of small order).
 *
 * @param publicKey 32 bytes in base64
 * @param signature 64 bytes in base64
 * @throws {CountersignError} `invalid_public_key`, `invalid_signature`, `invalid_message` for what cannot even be read.
 */
export async function verify(publicKey: string, message: Uint8Array, signature: string): Promise<boolean> {
  await init();
  return guarded(() => coreVerify(publicKey, message, signature));
}
