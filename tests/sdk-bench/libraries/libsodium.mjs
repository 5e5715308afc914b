import sodium from 'libsodium-wrappers';

export async function prepare(seed) {
  await sodium.ready;
  const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
  return {
    sign: (message) => sodium.crypto_sign_detached(message, privateKey),
    verify: (message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
  };
}
