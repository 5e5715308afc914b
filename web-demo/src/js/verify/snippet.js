/**
 * A check of these values that runs as it is in any browser's console and in Node.js, without a line of Countersign.
 *
 * @param {Signed} signed
 */
export function checkSnippet({ publicKey, message, signature }) {
  return `const bytes = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const key = await crypto.subtle.importKey('raw', bytes('${publicKey}'), 'Ed25519', false, ['verify']);
const signature = bytes('${signature}');
const message = bytes('${message}');
console.log(await crypto.subtle.verify('Ed25519', key, signature, message));
`;
}
