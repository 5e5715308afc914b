/**
 * The same for Node.js 20, whose WebCrypto may not know the curve, from its older module.
 *
 * @param {Signed} signed
 */
export function nodeCheck({ publicKey, message, signature }) {
  return `import { createPublicKey, verify } from 'node:crypto';
const bytes = (base64) => Buffer.from(base64, 'base64');
const x = bytes('${publicKey}').toString('base64url');
const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
const signature = bytes('${signature}');
const message = bytes('${message}');
console.log(verify(null, message, key, signature));
`;
}

/**
 * A check of these values that runs as it is in any browser's console, without a line of Countersign.
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
