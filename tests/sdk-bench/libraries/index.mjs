// What is compared, each with the name its package has, if it has one.

export const LIBRARIES = [
  { id: 'countersign', name: 'countersign' },
  { id: 'noble', name: '@noble/ed25519, sync', packages: ['@noble/ed25519', '@noble/hashes'] },
  { id: 'noble-async', name: '@noble/ed25519, async', packages: ['@noble/ed25519'] },
  { id: 'tweetnacl', name: 'tweetnacl', packages: ['tweetnacl'] },
  { id: 'libsodium', name: 'libsodium-wrappers', packages: ['libsodium-wrappers'] },
  { id: 'webcrypto', name: 'WebCrypto, non-extractable key' },
];

/** Only its size is of interest here: what a page loads to have requests signed in a wallet elsewhere. */
export const WALLET_CONNECT = '@walletconnect/sign-client';
