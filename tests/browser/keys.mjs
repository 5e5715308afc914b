import { createPublicKey } from 'node:crypto';

/** An Ed25519 public key of 32 bytes in base64, for Node's own cryptography. */
export const publicKeyObject = (base64) =>
  createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(base64, 'base64').toString('base64url') } });
