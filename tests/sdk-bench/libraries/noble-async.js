import { getPublicKeyAsync, signAsync, verifyAsync } from '@noble/ed25519';

export async function open(seed) {
  const publicKey = await getPublicKeyAsync(seed);
  return {
    sign: (message) => signAsync(message, seed),
    verification: (message, signature) => () => verifyAsync(signature, message, publicKey),
  };
}
