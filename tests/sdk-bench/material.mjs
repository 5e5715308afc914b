// A key, and messages with the signatures that Node.js' OpenSSL makes of them with it.

import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';

const MESSAGES = 64;
const MESSAGE_BYTES = 256;

/** Bytes are arrays of numbers here, on their way to a page. */
export function makeMaterial() {
  const seed = randomBytes(32);
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const cases = Array.from({ length: MESSAGES }, () => {
    const message = randomBytes(MESSAGE_BYTES);
    return { message: [...message], signature: [...sign(null, message, key)] };
  });
  return { seed: [...seed], publicKey: [...publicKey], cases };
}
