const ED25519 = { name: 'Ed25519' };
// What stands before the seed in PKCS#8 (RFC 8410).
const HEADER = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

export async function prepare(seed, publicKey) {
  const { subtle } = crypto;
  const privateKey = await subtle.importKey('pkcs8', Uint8Array.of(...HEADER, ...seed), ED25519, false, ['sign']);
  const verifier = await subtle.importKey('raw', publicKey, ED25519, true, ['verify']);
  return {
    sign: async (message) => new Uint8Array(await subtle.sign(ED25519, privateKey, message)),
    verify: (message, signature) => subtle.verify(ED25519, verifier, signature, message),
  };
}
