import nacl from 'tweetnacl';

export async function open(seed) {
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return {
    sign: (message) => nacl.sign.detached(message, secretKey),
    verification: (message, signature) => () => nacl.sign.detached.verify(message, signature, publicKey),
  };
}
