import { Key, verify } from '../../../sdk-wasm/dist/browser.js';

export async function open(seed) {
  const key = await Key.fromSeed(seed);
  return {
    sign: (message) => key.sign(message),
    verification(message, signature) {
      const text = btoa(String.fromCharCode(...signature));
      return () => verify(key.publicKey, message, text);
    },
  };
}
