import { signAsync, verifyAsync } from '@noble/ed25519';

export function prepare(seed, publicKey) {
  return {
    sign: (message) => signAsync(message, seed),
    verify: (message, signature) => verifyAsync(signature, message, publicKey),
  };
}
