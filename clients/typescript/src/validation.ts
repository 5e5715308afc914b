// Checks that what came has the members it should, of the types they should have. What is wrong is named by its path.

import { decodeBase64, decodeBase64Url } from './bytes.js';
import { type FieldError, InvalidRequestError, ProtocolError } from './errors.js';
import {
  type BatchResource,
  type CancelledAll,
  type Device,
  isEnd,
  type JwkSet,
  type ReceiptClaims,
  type RequestResource,
  type SignerResource,
} from './wire.js';

type Check = (value: unknown, path: string) => void;
type Members = Record<string, unknown>;

/** What a call with one message is answered with when it has waited. */
export interface Answer {
  request_id: string;
  public_key: string;
  message: string;
  signature: string;
  approved_by?: string;
  device?: Device;
  times: RequestResource['times'];
}

/** What a call with several messages is answered with. */
export interface Batch {
  batch_id?: string;
  requests: RequestResource[];
}

/** A part of a list. */
export interface Page {
  requests: RequestResource[];
  next_cursor?: string;
}

/** A problem document (RFC 9457). */
export interface Problem {
  status: number;
  code: string;
  detail: string;
  call_id?: string;
  request_id?: string;
  reject_code?: string;
  reason?: string;
  phase?: string;
  /** The request that was to be replaced, as it ended. */
  replaced?: RequestResource;
  errors?: FieldError[];
}

/** As many requests as a page of a list has, and as many as are withdrawn at once. */
const MOST_AT_ONCE = 100;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * An id that a caller gives, as the server writes it: either case is read, as in the API (RFC 9562 §4).
 *
 * @throws {InvalidRequestError} where it is none, so that nothing else comes into a path
 */
export function idOf(given: unknown, name: string): string {
  const id = typeof given === 'string' ? given.toLowerCase() : '';
  if (!UUID.test(id)) throw new InvalidRequestError({ code: 'malformed', detail: `a ${name} is a UUID` });
  return id;
}

/** @throws {ProtocolError} */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError(`${what} is no JSON`, { cause });
  }
}

const string: Check = (value, path) => need(typeof value === 'string', path, 'a string');
const boolean: Check = (value, path) => need(typeof value === 'boolean', path, 'true or false');
const integer: Check = (value, path) => need(Number.isSafeInteger(value) && (value as number) >= 0, path, 'an integer from 0');
const withdrawn: Check = (value, path) =>
  need(
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MOST_AT_ONCE,
    path,
    `an integer from 0 to ${MOST_AT_ONCE}`,
  );
const uuid: Check = (value, path) => need(typeof value === 'string' && UUID.test(value), path, 'a UUID');
/** It goes back into a URL, and is kept. */
const cursor: Check = (value, path) =>
  need(typeof value === 'string' && /^[\x21-\x7e]{1,512}$/.test(value), path, 'at most 512 visible characters');

/** A caller of the server may have chosen it, and it stands in texts of errors. */
const callId: Check = (value, path) =>
  need(typeof value === 'string' && /^[!-~]{1,128}$/.test(value), path, '1 to 128 visible ASCII characters');

const base64 =
  (length?: number): Check =>
  (value, path) => {
    const bytes = typeof value === 'string' ? decodeBase64(value) : undefined;
    const fits = bytes !== undefined && (length === undefined ? bytes.length > 0 : bytes.length === length);
    need(fits, path, length === undefined ? 'bytes in canonical base64' : `${length} bytes in canonical base64`);
  };

const oneOf =
  (...words: string[]): Check =>
  (value, path) =>
    need(words.includes(value as string), path, `one of ${words.join(', ')}`);

const optional =
  (check: Check): Check =>
  (value, path) => {
    if (value !== undefined) check(value, path);
  };

const object =
  (members: Record<string, Check>): Check =>
  (value, path) => {
    need(typeof value === 'object' && value !== null && !Array.isArray(value), path, 'an object');
    for (const [name, check] of Object.entries(members)) check(own(value as Members, name), `${path}.${name}`);
  };

/** An object of texts, whichever there are. */
const texts: Check = (value, path) => {
  object({})(value, path);
  for (const [name, text] of Object.entries(value as Members)) string(text, `${path}.${name}`);
};

const list =
  (check: Check, most: number, least = 1): Check =>
  (value, path) => {
    need(Array.isArray(value) && value.length >= least && value.length <= most, path, `a list of ${least} to ${most}`);
    for (const [index, item] of (value as unknown[]).entries()) check(item, `${path}[${index}]`);
  };

const device = object({ id: string, label: string });
const times = object({
  queued_ms: integer,
  delivered_ms: optional(integer),
  received_ms: optional(integer),
  displayed_ms: optional(integer),
  ended_ms: optional(integer),
});

const requestMembers = object({
  request_id: uuid,
  public_key: base64(32),
  state: oneOf('queued', 'delivered', 'received', 'displayed', 'signed', 'rejected', 'expired', 'cancelled'),
  attempt: integer,
  requester: object({ name: string }),
  purpose: optional(string),
  reference: optional(string),
  metadata: optional(texts),
  batch: optional(object({ id: uuid, index: integer, size: integer })),
  deliver_by_ms: integer,
  expires_at_ms: integer,
  times,
  message: base64(),
  signature: optional(base64(64)),
  approved_by: optional(string),
  device: optional(device),
  error: optional(
    object({ code: string, detail: string, reject_code: optional(string), reason: optional(string), phase: optional(string) }),
  ),
});

const checkRequest: Check = (value, path) => {
  requestMembers(value, path);
  const { state, signature, error } = value as RequestResource;
  if (state === 'signed') need(signature !== undefined, `${path}.signature`, 'there where the state is signed');
  else need(signature === undefined, `${path}.signature`, `left out where the state is ${state}`);
  need(
    (error !== undefined) === (isEnd(state) && state !== 'signed'),
    `${path}.error`,
    'there where it ended without a signature, and only there',
  );
};

const checkClaims = object({
  iss: optional(string),
  jti: uuid,
  iat: integer,
  message_sha256: (value, path) =>
    need(typeof value === 'string' && decodeBase64Url(value)?.length === 32, path, '32 bytes in canonical base64url'),
  public_key: base64(32),
  requester: string,
  purpose: optional(string),
  device: optional(device),
  state: oneOf('signed', 'rejected', 'expired', 'cancelled'),
  code: optional(string),
  reject_code: optional(string),
  signature: optional(base64(64)),
  approved_by: optional(string),
  times,
});

/** The end of a webhook's story is told with a request, in this envelope. */
const checkWebhook = object({ type: string, timestamp: string, data: object({}) });
const checkJwkSet = object({
  keys: list(
    object({
      kty: string,
      crv: optional(string),
      x: optional(string),
      alg: optional(string),
      use: optional(string),
      kid: optional(string),
    }),
    1024,
  ),
  webhook_public_key: optional(string),
});

export const asRequest = validator<RequestResource>(checkRequest, 'request');
export const asBatch = validator<Batch>(object({ batch_id: optional(uuid), requests: list(checkRequest, 16) }), 'batch');
export const asBatchResource = validator<BatchResource>(
  object({ batch_id: uuid, state: oneOf('open', 'ended'), requests: list(checkRequest, 16) }),
  'batch',
);
export const asPage = validator<Page>(object({ requests: list(checkRequest, MOST_AT_ONCE, 0), next_cursor: optional(cursor) }), 'page');
export const asCancelledAll = validator<CancelledAll>(object({ cancelled: withdrawn, has_more: boolean }), 'answer');
export const asAnswer = validator<Answer>(
  object({
    request_id: uuid,
    public_key: base64(32),
    message: base64(),
    signature: base64(64),
    approved_by: optional(string),
    device: optional(device),
    times,
  }),
  'answer',
);
export const asSigner = validator<SignerResource>(object({ public_key: base64(32), connected: boolean, connections: integer }), 'signer');
export const asJwkSet = validator<JwkSet>(checkJwkSet, 'key set');
export const asWebhook = validator<{ type: string; timestamp: string; data: Members }>(checkWebhook, 'webhook');
export const asProblem = validator<Problem>(
  object({
    status: integer,
    code: string,
    detail: string,
    call_id: optional(callId),
    request_id: optional(uuid),
    reject_code: optional(string),
    reason: optional(string),
    phase: optional(string),
    replaced: optional(checkRequest),
    errors: optional(
      list(
        object({ pointer: optional(string), parameter: optional(string), header: optional(string), code: string, detail: string }),
        1_024,
      ),
    ),
  }),
  'problem',
);

/** Also that a signature is there where one was made, and only there. */
export function asClaims(value: unknown): ReceiptClaims {
  checkClaims(value, 'receipt');
  const claims = value as ReceiptClaims;
  need(
    (claims.signature !== undefined) === (claims.state === 'signed'),
    'receipt.signature',
    'there where the state is signed, and only there',
  );
  return claims;
}

/** An object of any members. */
export function asObject(value: unknown, path: string): Members {
  object({})(value, path);
  return value as Members;
}

/** A member that the object has itself: nothing is taken from a prototype. */
export function own(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function validator<T>(check: Check, path: string): (value: unknown) => T {
  return (value) => {
    check(value, path);
    return value as T;
  };
}

function need(holds: boolean, path: string, what: string): void {
  if (!holds) throw new ProtocolError(`${path} has to be ${what}`);
}
