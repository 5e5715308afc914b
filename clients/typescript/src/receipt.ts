// Receipts: a JWS in compact form (RFC 7515), verified with nothing but the server's keys.

import { decodeBase64, decodeBase64Url, decodeUtf8, encodeBase64Url, equal, sha256 } from './bytes.js';
import { type Verify, verifyEd25519 } from './ed25519.js';
import { UnknownKeyError, VerificationError } from './errors.js';
import { keyNamed } from './jwks.js';
import { readings } from './public-key.js';
import { asClaims, asObject, own, parseJson } from './validation.js';
import type { JwkSet, ReceiptClaims } from './wire.js';

const TYPE = 'countersign-receipt+jwt';
/** No receipt is nearly as long. */
const MAX_LENGTH = 65_536;

/** What the receipt has to be about; each is checked where it is given. */
export interface ReceiptOptions {
  /** The message that the request was for. With it the wallet's own signature is verified too, not only the server's. */
  message?: Uint8Array | undefined;
  /** The key that was asked, in any spelling. */
  publicKey?: string | Uint8Array | undefined;
  requestId?: string | undefined;
  /** The server that has to say so: `iss`. */
  issuer?: string | undefined;
  /** In place of WebCrypto's Ed25519. */
  verify?: Verify | undefined;
}

/**
 * What a receipt attests, after its signature has been verified.
 *
 * @throws {UnknownKeyError} where the set has not the key that it names
 * @throws {VerificationError} where it is no receipt, or of something else, or a signature does not hold
 */
export async function verifyReceipt(jws: string, keys: JwkSet, options: ReceiptOptions = {}): Promise<ReceiptClaims> {
  const { verify = verifyEd25519 } = options;
  const [header = '', payload = '', signature = ''] = parts(jws);
  const key = keyNamed(keys, keyId(header));
  if (key === undefined) throw new UnknownKeyError('the receipt names a key that is none of those given');
  const bytes = decodePart(signature, 'signature');
  if (!(await verify(key, new TextEncoder().encode(`${header}.${payload}`), bytes))) throw fail('its signature does not verify');
  const claims = asClaims(json(payload, 'payload'));
  await check(claims, options, verify);
  return claims;
}

function parts(jws: string): string[] {
  if (typeof jws !== 'string') throw new TypeError('a receipt is a string');
  const found = jws.length > MAX_LENGTH ? [] : jws.split('.');
  if (found.length !== 3) throw fail('it has not the three parts of a JWS in compact form');
  return found;
}

/** The header's word for the key, where it is a header of a receipt. */
function keyId(header: string): string {
  const members = asObject(json(header, 'header'), 'header');
  if (own(members, 'alg') !== 'EdDSA') throw fail('its alg is not EdDSA');
  if (own(members, 'typ') !== TYPE) throw fail(`its typ is not ${TYPE}`);
  // An extension that has to be understood (RFC 7515 §4.1.11).
  if (Object.hasOwn(members, 'crit')) throw fail('it has an extension (crit)');
  const kid = own(members, 'kid');
  if (typeof kid !== 'string') throw fail('it names no key (kid)');
  return kid;
}

async function check(claims: ReceiptClaims, { message, publicKey, requestId, issuer }: ReceiptOptions, verify: Verify): Promise<void> {
  const key = decodeBase64(claims.public_key) ?? new Uint8Array();
  if (requestId !== undefined && claims.jti !== requestId.toLowerCase()) throw fail('it is of another request');
  if (issuer !== undefined && claims.iss !== issuer) throw fail('another server has issued it');
  if (publicKey !== undefined && !readings(publicKey).some((one) => equal(one, key))) throw fail('it is of another public key');
  if (message === undefined) return;
  if (encodeBase64Url(await sha256(message)) !== claims.message_sha256) throw fail('it is of another message');
  if (claims.signature === undefined) return;
  const signature = decodeBase64(claims.signature) ?? new Uint8Array();
  if (!(await verify(key, message, signature))) throw fail("the wallet's signature in it does not verify");
}

function json(part: string, name: string): unknown {
  try {
    return parseJson(decodeUtf8(decodePart(part, name)), `the ${name}`);
  } catch (cause) {
    if (cause instanceof VerificationError) throw cause;
    throw new VerificationError(`the receipt does not hold: its ${name} is no JSON`, { cause });
  }
}

function decodePart(part: string, name: string): Uint8Array {
  const bytes = decodeBase64Url(part);
  if (bytes === undefined) throw fail(`its ${name} is no canonical base64url`);
  return bytes;
}

function fail(why: string): VerificationError {
  return new VerificationError(`the receipt does not hold: ${why}`);
}
