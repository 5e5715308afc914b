// Keys of a JWK set (RFC 7517, RFC 8037) that sign receipts and webhooks.

import { decodeBase64Url, equal } from './bytes.js';
import { VerificationError } from './errors.js';
import { asJwkSet } from './validation.js';
import type { Jwk, JwkSet } from './wire.js';

/** The Ed25519 keys of a set for signatures; others are passed over. */
export function signingKeys(set: JwkSet): { kid: string | undefined; key: Uint8Array }[] {
  return asJwkSet(set).keys.flatMap((jwk) => {
    const key = isForSigning(jwk) ? decodeBase64Url(jwk.x ?? '') : undefined;
    return key?.length === 32 ? [{ kid: jwk.kid, key }] : [];
  });
}

/** Undefined where the set has no key of this name. */
export function keyNamed(set: JwkSet, kid: string): Uint8Array | undefined {
  const [first, ...others] = signingKeys(set).filter((one) => one.kid === kid);
  if (first && others.some(({ key }) => !equal(key, first.key))) throw new VerificationError(`two keys are called ${JSON.stringify(kid)}`);
  return first?.key;
}

function isForSigning({ kty, crv, alg = 'EdDSA', use = 'sig' }: Jwk): boolean {
  return kty === 'OKP' && crv === 'Ed25519' && (alg === 'EdDSA' || alg === 'Ed25519') && use === 'sig';
}
