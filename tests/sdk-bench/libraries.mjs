// Who is measured: the name of the module in libraries/, what to call it, and the npm package its version is of.

export const KEY = { id: 'countersign-key', name: 'countersign, `Key` (WebAssembly)', npm: 'countersign' };
export const NOBLE = [
  { id: 'noble-async', name: '@noble/ed25519, async (SHA-512 of WebCrypto)', npm: '@noble/ed25519' },
  { id: 'noble-sync', name: '@noble/ed25519, sync (SHA-512 of @noble/hashes)', npm: '@noble/ed25519' },
];
export const TWEETNACL = { id: 'tweetnacl', name: 'tweetnacl', npm: 'tweetnacl' };

export const LIBRARIES = [
  KEY,
  { id: 'countersign-web-crypto-key', name: 'countersign, `WebCryptoKey`', npm: 'countersign' },
  ...NOBLE,
  TWEETNACL,
  { id: 'libsodium', name: 'libsodium-wrappers', npm: 'libsodium-wrappers' },
  { id: 'web-crypto', name: 'WebCrypto itself, a key that cannot be exported' },
];

/** What asks for signatures from afar too, and is therefore compared in size, but is no library to sign with. */
export const SIZE_ONLY = { id: 'wallet-connect', name: '@walletconnect/sign-client', npm: '@walletconnect/sign-client' };
