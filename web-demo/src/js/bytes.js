/**
 * Bytes of a text in UTF-8.
 *
 * @param {string} text
 */
export const fromText = (text) => new TextEncoder().encode(text);

/**
 * Standard base64 with padding.
 *
 * @param {Uint8Array} bytes
 */
export function toBase64(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Bytes of standard or URL-safe base64, or null.
 *
 * @param {string} text
 */
export function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.trim().replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

/**
 * Lower-case hex, byte by byte.
 *
 * @param {Uint8Array} bytes
 */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));

/**
 * Bytes of hex digits with any white space between, or null.
 *
 * @param {string} text
 */
export function fromHex(text) {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
