import { Key, verify } from 'countersign';

export async function prepare(seed) {
  const key = await Key.fromSeed(seed);
  return {
    sign: (message) => key.sign(message),
    verify: (message, signature) => verify(key.publicKey, message, signature),
    encode: (signature) => btoa(String.fromCharCode(...signature)),
  };
}
