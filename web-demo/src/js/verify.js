import { fromBase64 } from './bytes.js';
import { verify as verifyBySdk } from './sdk.js';

/**
 * Checks a signature without asking the server: by the browser's own Ed25519, or the SDK's where it has none.
 *
 * @param {string} publicKey in base64
 * @param {Uint8Array<ArrayBuffer>} message
 * @param {string} signature in base64
 * @returns {Promise<{ valid: boolean, by: string }>}
 */
export async function checkSignature(publicKey, message, signature) {
  const native = await nativeKey(publicKey);
  if (!native) return { valid: await verifyBySdk(publicKey, message, signature), by: "the SDK's own Ed25519 (WebAssembly)" };
  const bytes = fromBase64(signature);
  const valid = bytes !== null && (await crypto.subtle.verify('Ed25519', native, bytes, message));
  return { valid, by: "the browser's own Ed25519 (WebCrypto)" };
}

/**
 * The key for WebCrypto, or null where the browser has no Ed25519 or the page no secure context.
 *
 * @param {string} publicKey
 */
async function nativeKey(publicKey) {
  try {
    return await crypto.subtle.importKey('raw', fromBase64(publicKey) ?? new Uint8Array(), 'Ed25519', false, ['verify']);
  } catch {
    return null;
  }
}
