import { hashes, sign, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

export function prepare(seed, publicKey) {
  return {
    sign: (message) => sign(message, seed),
    verify: (message, signature) => verify(signature, message, publicKey),
  };
}
