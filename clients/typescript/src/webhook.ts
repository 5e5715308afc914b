// Webhooks, verified as Standard Webhooks has it: over id, timestamp and body by Ed25519 (v1a), or by HMAC with a secret (v1).

import { decodeBase64, decodeUtf8 } from './bytes.js';
import { type Verify, verifyEd25519 } from './ed25519.js';
import { ProtocolError, UnknownKeyError, VerificationError } from './errors.js';
import { signingKeys } from './jwks.js';
import { asBatchResource, asRequest, asWebhook, parseJson } from './validation.js';
import { verified } from './verified-signature.js';
import type { BatchResource, JwkSet, RequestResource } from './wire.js';

const TOLERANCE_S = 300;
/** While they are replaced there are several keys and secrets. */
const MAX_SIGNATURES = 5;
const PREFIX = 'whpk_';
const SECRET_PREFIX = 'whsec_';
const SIGNATURE_BYTES: Record<string, number> = { v1: 32, v1a: 64 };

/** Headers as frameworks have them: `Headers`, or an object such as `request.headers` of Node.js. */
export type WebhookHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/** A JWK set, or a key or a secret as libraries for Standard Webhooks want it (`whpk_…`, `whsec_…`), or several of these. One is enough to verify by. */
export type WebhookKeys = JwkSet | string | readonly string[];

export interface WebhookOptions {
  /** How far the clocks may differ, and the message be under way, in seconds; 300 where left out. */
  toleranceS?: number | undefined;
  /** Milliseconds since the Unix epoch; `Date.now()` where left out. */
  now?: number | undefined;
  /** In place of WebCrypto's Ed25519. */
  verify?: Verify | undefined;
}

/** An event that the server has sent; `type` tells them apart. */
export type WebhookEvent = RequestEndedEvent | BatchEndedEvent;

interface EventOf<Type extends string, Data> {
  /** The same however often it is sent: what is known already may be passed over. */
  webhook_id: string;
  type: Type;
  /** When it happened (RFC 3339). */
  timestamp: string;
  /** A signature in it has been verified over the message beside it. */
  data: Data;
}

/** A request has ended. */
export type RequestEndedEvent = EventOf<'request.ended', RequestResource>;

/** All requests of a batch have: in place of their own events, where the operator has the target told so. */
export type BatchEndedEvent = EventOf<'batch.ended', BatchResource>;

/**
 * The event in a webhook's body, after its signature has been verified.
 *
 * @param body as it came: bytes, or text that nobody has parsed and written again
 * @throws {UnknownKeyError} where no signature is by one of the keys and secrets
 * @throws {VerificationError} where a header is missing or there twice, or its time is not near
 */
export async function verifyWebhook(
  body: Uint8Array | ArrayBuffer | string,
  headers: WebhookHeaders,
  keys: WebhookKeys,
  { toleranceS = TOLERANCE_S, now = Date.now(), verify = verifyEd25519 }: WebhookOptions = {},
): Promise<WebhookEvent> {
  const bytes = raw(body);
  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => only(headers, name)) as [
    string,
    string,
    string,
  ];
  if (!/^[\w-]{1,256}$/.test(id)) throw fail('webhook-id is no id');
  if (!/^\d{1,12}$/.test(time)) throw fail('webhook-timestamp is no time in seconds');
  if (!(Math.abs(now / 1_000 - Number(time)) <= toleranceS)) throw fail('webhook-timestamp is too far from now');
  const signed = concat(new TextEncoder().encode(`${id}.${time}.`), bytes);
  if (!(await isSigned(signed, decodeSignatures(signatures), verifiers(keys, verify)))) {
    throw new UnknownKeyError('the webhook does not hold: no signature verifies under the keys given');
  }
  return event(id, bytes, verify);
}

/** One key or secret: the signatures of its version are tried with it, and no others. */
interface Verifier {
  version: string;
  verify(signed: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}

interface Signature {
  version: string;
  bytes: Uint8Array;
}

async function isSigned(signed: Uint8Array, signatures: Signature[], verifiers: Verifier[]): Promise<boolean> {
  for (const verifier of verifiers) {
    for (const { version, bytes } of signatures) {
      if (version === verifier.version && (await verifier.verify(signed, bytes)) === true) return true;
    }
  }
  return false;
}

async function event(webhook_id: string, bytes: Uint8Array, verify: Verify): Promise<WebhookEvent> {
  const { type, timestamp, data } = asWebhook(parseJson(decodeUtf8(bytes), 'the webhook'));
  const check = async (request: RequestResource) => {
    if (request.state === 'signed') await verified(request, undefined, verify);
  };
  if (type === 'request.ended') {
    const request = asRequest(data);
    await check(request);
    return { webhook_id, type, timestamp, data: request };
  }
  if (type === 'batch.ended') {
    const batch = asBatchResource(data);
    for (const request of batch.requests) await check(request);
    return { webhook_id, type, timestamp, data: batch };
  }
  throw new ProtocolError(`the webhook is of a type that is not known here: ${JSON.stringify(type.slice(0, 64))}`);
}

function raw(body: Uint8Array | ArrayBuffer | string): Uint8Array {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  throw new TypeError("a webhook's body is wanted as it came, in bytes or text, and not parsed");
}

/** The value of a header that is there once, in whichever case. */
function only(headers: WebhookHeaders, name: string): string {
  // Of its own kind in each realm and framework, so it is known by what it can do.
  const value = typeof headers.get === 'function' ? [(headers as Headers).get(name)] : valuesOf(headers as Record<string, unknown>, name);
  const [first, ...others] = value;
  if (typeof first !== 'string') throw fail(`there is no ${name}`);
  if (others.length > 0) throw fail(`${name} is there twice`);
  return first;
}

function valuesOf(headers: Record<string, unknown>, name: string): unknown[] {
  return Object.entries(headers).flatMap(([key, value]) => (key.toLowerCase() === name ? value : []));
}

/** Those of versions v1 and v1a. Where a header that was there twice has been put together with a comma, nothing of it is taken. */
function decodeSignatures(text: string): Signature[] {
  const all = text.split(' ').map((one) => one.split(','));
  if (all.length > MAX_SIGNATURES) throw fail(`webhook-signature has more than ${MAX_SIGNATURES} signatures`);
  if (all.some((one) => one.length !== 2)) throw fail('webhook-signature is not of the form version,signature');
  return all.flatMap(([version = '', value = '']) => {
    const bytes = decodeBase64(value);
    return bytes && Object.hasOwn(SIGNATURE_BYTES, version) && bytes.length === SIGNATURE_BYTES[version] ? [{ version, bytes }] : [];
  });
}

function verifiers(keys: WebhookKeys, verify: Verify): Verifier[] {
  const byKey = (key: Uint8Array): Verifier => ({ version: 'v1a', verify: (signed, signature) => verify(key, signed, signature) });
  if (typeof keys !== 'string' && !Array.isArray(keys)) return signingKeys(keys as JwkSet).map(({ key }) => byKey(key));
  return ([keys].flat() as string[]).map((text) => (text.startsWith(SECRET_PREFIX) ? bySecret(secret(text)) : byKey(publicKey(text))));
}

function publicKey(text: string): Uint8Array {
  const key = text.startsWith(PREFIX) ? decodeBase64(text.slice(PREFIX.length)) : undefined;
  if (key?.length !== 32) throw new TypeError(`a webhook's key is ${PREFIX} and 32 bytes in base64`);
  return key;
}

function secret(text: string): Uint8Array {
  const bytes = decodeBase64(text.slice(SECRET_PREFIX.length));
  if (!bytes || bytes.length < 24 || bytes.length > 64)
    throw new TypeError(`a webhook's secret is ${SECRET_PREFIX} and 24 to 64 bytes in base64`);
  return bytes;
}

/** WebCrypto compares in constant time. */
function bySecret(bytes: Uint8Array): Verifier {
  const verify = async (signed: Uint8Array, signature: Uint8Array) => {
    const key = await crypto.subtle.importKey('raw', bytes as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    return crypto.subtle.verify('HMAC', key, signature as BufferSource, signed as BufferSource);
  };
  return { version: 'v1', verify };
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function fail(why: string): VerificationError {
  return new VerificationError(`the webhook does not hold: ${why}`);
}
