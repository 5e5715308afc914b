// What goes wrong, one class for each thing that callers treat differently. Members of the API's problems have the API's names.

import type { RequestResource } from './wire.js';

/** What is wrong with one field of the body, one parameter of the query or one header. */
export interface FieldError {
  /** Where in the body: a JSON Pointer (RFC 6901) such as `/messages/3`, empty for the body as a whole. */
  pointer?: string;
  /** Or which parameter of the query. */
  parameter?: string;
  /** Or which header. */
  header?: string;
  /** `required`, `type`, `unknown`, `range`, `too_long`, `format`, `conflict`, `not_allowed`; others may come. */
  code: string;
  /** For people. */
  detail: string;
}

/** What is known of an error. */
export interface Failure {
  code: string;
  detail: string;
  status?: number | undefined;
  request_id?: string | undefined;
  call_id?: string | undefined;
  errors?: FieldError[] | undefined;
  retry_after?: number | undefined;
  reject_code?: string | undefined;
  reason?: string | undefined;
  phase?: string | undefined;
  replaced?: RequestResource | undefined;
  cause?: unknown;
}

/** What calls throw, except `TypeError` for one that makes no sense and the reason of an aborted signal. */
export class CountersignError extends Error {
  /** Stable, for programs: one of the API's codes, or `network`, `deadline`, `protocol`, `verification`, `http_<status>`. */
  readonly code: string;
  /** For people. */
  readonly detail: string;
  /** Of the HTTP answer, where there was one. */
  readonly status: number | undefined;
  /** What the server's log calls the HTTP call. */
  readonly call_id: string | undefined;
  /** What is wrong with the call, one by one, where the server said so. */
  readonly errors: readonly FieldError[];
  /** Where a request had been made. */
  request_id: string | undefined;
  /** Of a call that may have been accepted without its answer coming through: made again under this key, it is the same request. */
  idempotency_key: string | undefined;
  /** In seconds, where the server said so. */
  readonly retry_after: number | undefined;

  constructor(failure: Failure) {
    super(textOf(failure), failure.cause === undefined ? undefined : { cause: failure.cause });
    this.name = new.target.name;
    this.code = failure.code;
    this.detail = failure.detail;
    this.status = failure.status;
    this.call_id = failure.call_id;
    this.errors = failure.errors ?? [];
    this.request_id = failure.request_id;
    this.idempotency_key = undefined;
    this.retry_after = failure.retry_after;
  }
}

/** The call has to be mended: the same one will always fail. */
export class InvalidRequestError extends CountersignError {}

/** The idempotency key has been used for another request. */
export class IdempotencyKeyReusedError extends InvalidRequestError {}

/** No such request is kept: it was never durable, is another requester's, or ended too long ago. */
export class UnknownRequestError extends InvalidRequestError {}

/** No token or an unknown one, or the server does not answer for this host. */
export class UnauthorizedError extends CountersignError {}

/** The wallet declined. */
export class RejectedError extends CountersignError {
  /** `user_rejected`, `policy_rejected`, `locked` or `unsupported`. */
  readonly reject_code: string | undefined;
  /** The wallet's own words: text to show, never markup, and no more than a claim. */
  readonly reason: string | undefined;

  constructor(failure: Failure) {
    super(failure);
    this.reject_code = failure.reject_code;
    this.reason = failure.reason;
  }
}

/** Nobody answered in time; `phase` says how far the request had come. */
export class ExpiredError extends CountersignError {
  /** `queued`, `delivered`, `received` or `displayed`. */
  readonly phase: string | undefined;

  constructor(failure: Failure) {
    super(failure);
    this.phase = failure.phase;
  }
}

/** The wallet left and did not come back in time. */
export class SignerDisconnectedError extends ExpiredError {}

/** No wallet said within its time that it has the request. */
export class DeliveryTimeoutError extends ExpiredError {}

/** No wallet with this key is connected, and nobody was asked. */
export class SignerNotConnectedError extends CountersignError {}

/** The request was withdrawn. */
export class CancelledError extends CountersignError {}

/** An operator of the server has blocked the key: nothing is asked of it. */
export class KeyBlockedError extends CountersignError {}

/** The request that was to be replaced has ended, and no other was made: whoever has decided is not asked again. */
export class ReplacedRequestEndedError extends CountersignError {
  /** How it ended, as the server says: a signature in it is not verified here. */
  readonly replaced: RequestResource | undefined;

  constructor(failure: Failure) {
    super(failure);
    this.replaced = failure.replaced;
  }
}

/** The request is open, so that it has no receipt. */
export class NotEndedError extends CountersignError {}

/** The wallet answered with what does not verify: it is broken or hostile. */
export class WalletError extends CountersignError {}

/** Too much at once; `retry_after` says when the next call will be let through, where that is known. */
export class RateLimitedError extends CountersignError {}

/** The server cannot answer now. */
export class UnavailableError extends CountersignError {}

/** It would need a store, and the server has none. */
export class NoStoreError extends CountersignError {}

/** No answer came: the connection could not be made, or it broke, or nothing was heard. */
export class NetworkError extends CountersignError {
  /** False where it is certain that nothing reached the server. */
  readonly sent: boolean;

  constructor(detail: string, { sent, cause, request_id }: { sent: boolean; cause?: unknown; request_id?: string | undefined }) {
    super({ code: 'network', detail, cause, request_id });
    this.sent = sent;
  }
}

/** The call's own deadline has passed. */
export class DeadlineError extends CountersignError {
  constructor(detail: string, request_id?: string) {
    super({ code: 'deadline', detail, request_id });
  }
}

/** What came is not what the API says; `detail` names what was wrong. */
export class ProtocolError extends CountersignError {
  constructor(detail: string, { status, cause, request_id }: { status?: number; cause?: unknown; request_id?: string } = {}) {
    super({ code: 'protocol', detail, status, cause, request_id });
  }
}

/** A signature does not hold for what it is said to be over: somebody lies. */
export class VerificationError extends CountersignError {
  constructor(detail: string, { cause, request_id }: { cause?: unknown; request_id?: string | undefined } = {}) {
    super({ code: 'verification', detail, cause, request_id });
  }
}

/** It is signed by a key that is none of those given: it is forged, or the keys are old. */
export class UnknownKeyError extends VerificationError {}

type Class = new (failure: Failure) => CountersignError;

const BY_CODE = new Map<string, Class>([
  ['unauthorized', UnauthorizedError],
  ['host_not_allowed', UnauthorizedError],
  ['key_blocked', KeyBlockedError],
  ['key_not_allowed', UnauthorizedError],
  ['read_only', UnauthorizedError],
  ['rejected', RejectedError],
  ['webhook_not_allowed', InvalidRequestError],
  ['signer_not_connected', SignerNotConnectedError],
  ['unknown_request', UnknownRequestError],
  ['cancelled', CancelledError],
  ['replaced_request_ended', ReplacedRequestEndedError],
  ['not_ended', NotEndedError],
  ['requests_open', NotEndedError],
  ['request_timeout', UnavailableError],
  ['idempotency_key_reused', IdempotencyKeyReusedError],
  ['rate_limited', RateLimitedError],
  ['requester_limit', RateLimitedError],
  ['too_many_inflight', RateLimitedError],
  ['invalid_signature', WalletError],
  ['message_mismatch', WalletError],
  ['no_store', NoStoreError],
  ['signer_disconnected', SignerDisconnectedError],
  ['delivery_timeout', DeliveryTimeoutError],
  ['timeout', ExpiredError],
  ['overloaded', UnavailableError],
  ['draining', UnavailableError],
  ['storage_unavailable', UnavailableError],
  ['audit_unavailable', UnavailableError],
]);

/** The error of a code, and where it is unknown that of the status. */
export function failureOf(failure: Failure): CountersignError {
  return new (BY_CODE.get(failure.code) ?? classOfStatus(failure.status))(failure);
}

function classOfStatus(status = 0): Class {
  if (status === 401) return UnauthorizedError;
  if (status === 429) return RateLimitedError;
  if ([400, 404, 405, 413, 415, 422, 426].includes(status)) return InvalidRequestError;
  return status >= 500 ? UnavailableError : CountersignError;
}

/** By its call's id an error is found in the server's log. */
function textOf({ code, detail, call_id }: Failure): string {
  return call_id === undefined ? `${code}: ${detail}` : `${code}: ${detail} (call ${call_id})`;
}
