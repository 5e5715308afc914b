// What the API says, member for member: docs/http-api.md. What later versions add passes through.

/** How far a request is, or, with the last four, how it ended. */
export type State = 'queued' | 'delivered' | 'received' | 'displayed' | 'signed' | 'rejected' | 'expired' | 'cancelled';

/** When a request came how far, in milliseconds since the Unix epoch. What did not happen is left out. */
export interface Times {
  queued_ms: number;
  delivered_ms?: number;
  received_ms?: number;
  displayed_ms?: number;
  ended_ms?: number;
}

/** Why a request ended without a signature. */
export interface EndError {
  code: string;
  detail: string;
  /** Of `rejected`: `user_rejected`, `policy_rejected`, `locked` or `unsupported`. */
  reject_code?: string;
  /** Of `rejected`: the wallet's own words. Text to show, never markup, and no more than a claim. */
  reason?: string;
  /** How far the request had come: `queued`, `delivered`, `received` or `displayed`. */
  phase?: string;
}

/** The device that signed, as it calls itself. */
export interface Device {
  id: string;
  label: string;
}

/** How a request stands. */
export interface RequestResource {
  request_id: string;
  /** In canonical base64, whatever spelling was used. */
  public_key: string;
  state: State;
  /** How often it has been handed to wallets. */
  attempt: number;
  /** What the wallet shows as the one who asks. */
  requester: { name: string };
  purpose?: string;
  /** What you call it. */
  reference?: string;
  /** What you wanted to find beside it again. */
  metadata?: Record<string, string>;
  /** Of several messages in one prompt. */
  batch?: { id: string; index: number; size: number };
  deliver_by_ms: number;
  expires_at_ms: number;
  times: Times;
  /** In base64. */
  message: string;
  /** With `signed`: 64 bytes in base64. */
  signature?: string;
  /** With `signed`: `human`, or `policy:` and the name of a rule, as the wallet says. */
  approved_by?: string;
  /** With `signed`. */
  device?: Device;
  /** With `rejected`, `expired` and `cancelled`. */
  error?: EndError;
}

/** How several requests of one prompt stand. */
export interface BatchResource {
  batch_id: string;
  /** `open` while one of them is. */
  state: 'open' | 'ended';
  /** In the order of the messages; those that are kept no more are left out. */
  requests: RequestResource[];
}

/** What became of withdrawing all that filters take. */
export interface CancelledAll {
  cancelled: number;
  /** There are more: call again. */
  has_more: boolean;
}

/** Whether wallets with a key are connected. */
export interface SignerResource {
  public_key: string;
  connected: boolean;
  connections: number;
}

/** The keys that receipts and webhooks are signed with, as `/.well-known/jwks.json` has them. */
export interface JwkSet {
  keys: Jwk[];
  webhook_public_key?: string;
}

/** An Ed25519 key (RFC 8037). */
export interface Jwk {
  kty: string;
  crv?: string;
  x?: string;
  alg?: string;
  use?: string;
  kid?: string;
}

/** What a receipt attests about a request that has ended. */
export interface ReceiptClaims {
  /** Which server says so, where its operator has named it. */
  iss?: string;
  /** The request's id. */
  jti: string;
  /** When it ended, in seconds since the Unix epoch. */
  iat: number;
  /** In base64url. */
  message_sha256: string;
  public_key: string;
  requester: string;
  purpose?: string;
  device?: Device;
  state: 'signed' | 'rejected' | 'expired' | 'cancelled';
  code?: string;
  reject_code?: string;
  /** With `signed`: 64 bytes in base64. */
  signature?: string;
  approved_by?: string;
  times: Times;
}

/** Whether a state is an end, for good. */
export function isEnd(state: State): boolean {
  return state === 'signed' || state === 'rejected' || state === 'expired' || state === 'cancelled';
}
