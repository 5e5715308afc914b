import { createPublicKey, verify } from 'node:crypto';

/** An Ed25519 public key of 32 bytes in base64, for Node's own cryptography. */
export const publicKeyObject = (base64) =>
  createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(base64, 'base64').toString('base64url') } });

/** Whether an answer of the API has a signature over exactly this text, by Node's own cryptography. */
export const verifies = ({ public_key, signature }, text) =>
  verify(null, Buffer.from(text), publicKeyObject(public_key), Buffer.from(signature, 'base64'));
