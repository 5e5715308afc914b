// A signature as it is given out: never before it has been verified here, over what was sent and under the key that was named.

import { decodeBase64, equal } from './bytes.js';
import type { Verify } from './ed25519.js';
import { failureOf, ProtocolError, VerificationError } from './errors.js';
import { type Device, isEnd, type RequestResource, type Times } from './wire.js';

/** A signature that has been verified. */
export interface Signed {
  request_id: string;
  /** In canonical base64, whatever spelling was used. */
  public_key: string;
  /** What was sent, and what the signature is over. */
  message: Uint8Array;
  /** 64 bytes: pure Ed25519 (RFC 8032). */
  signature: Uint8Array;
  /** `human`, or `policy:` and the name of a rule, as the wallet says. */
  approved_by?: string;
  /** What the wallet calls itself, where it does and the server tells it. */
  device?: Device;
  times: Times;
}

/** What was asked. */
export interface Expected {
  /** What the key's spelling may mean. */
  keys: Uint8Array[];
  message: Uint8Array;
}

type Told = Pick<RequestResource, 'request_id' | 'public_key' | 'message' | 'times'> & {
  signature?: string;
  approved_by?: string;
  device?: Device;
};

/**
 * Verifies what the server tells as signed. Where it is not known what was asked, the signature has at least to hold for the message told
 * with it.
 *
 * @throws {VerificationError}
 */
export async function verified(told: Told, expected: Expected | undefined, verify: Verify): Promise<Signed> {
  const { request_id, public_key, approved_by, device, times } = told;
  const key = decodeBase64(public_key);
  const message = decodeBase64(told.message);
  const signature = decodeBase64(told.signature ?? '');
  if (!key || !message || !signature) throw new ProtocolError('the answer is no signature');
  const fail = (detail: string, cause?: unknown) => new VerificationError(detail, { request_id, cause });
  if (expected && !equal(message, expected.message)) throw fail('the server tells a signature over another message than was sent');
  if (expected && !expected.keys.some((one) => equal(one, key)))
    throw fail('the server tells a signature under another key than was named');
  const isValid = await (async () => verify(key, message, signature))().catch((cause) => {
    throw fail('the signature could not be verified: has this platform Ed25519 in WebCrypto? If not, give `verify`', cause);
  });
  if (isValid !== true) throw fail('the server tells a signature that does not verify');
  return {
    request_id,
    public_key,
    message,
    signature,
    ...(approved_by === undefined ? {} : { approved_by }),
    ...(device ? { device } : {}),
    times,
  };
}

/**
 * The signature of a request that has ended.
 *
 * @throws {CountersignError} why there is none
 */
export async function resultOf(request: RequestResource, expected: Expected, verify: Verify): Promise<Signed> {
  if (request.state === 'signed') return verified(request, expected, verify);
  if (!isEnd(request.state) || !request.error) throw new ProtocolError('the request has not ended', { request_id: request.request_id });
  throw failureOf({ ...request.error, request_id: request.request_id });
}
