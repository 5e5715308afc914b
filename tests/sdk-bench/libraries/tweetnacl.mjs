import nacl from 'tweetnacl';

export function prepare(seed) {
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return {
    sign: (message) => nacl.sign.detached(message, secretKey),
    verify: (message, signature) => nacl.sign.detached.verify(message, signature, publicKey),
  };
}
