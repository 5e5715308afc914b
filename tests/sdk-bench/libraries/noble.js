import { getPublicKey, hashes, sign, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

export async function open(seed) {
  const publicKey = getPublicKey(seed);
  return {
    sign: (message) => sign(message, seed),
    verification: (message, signature) => () => verify(signature, message, publicKey),
  };
}
