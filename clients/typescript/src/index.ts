export { type ClientOptions, Countersign } from './client.js';
export type { Clock } from './clock.js';
export { type Verify, verifyEd25519 } from './ed25519.js';
export {
  CancelledError,
  CountersignError,
  DeadlineError,
  DeliveryTimeoutError,
  ExpiredError,
  type Failure,
  type FieldError,
  IdempotencyKeyReusedError,
  InvalidRequestError,
  KeyBlockedError,
  NetworkError,
  NoStoreError,
  NotEndedError,
  ProtocolError,
  RateLimitedError,
  RejectedError,
  ReplacedRequestEndedError,
  SignerDisconnectedError,
  SignerNotConnectedError,
  UnauthorizedError,
  UnavailableError,
  UnknownKeyError,
  UnknownRequestError,
  VerificationError,
  WalletError,
} from './errors.js';
export type { Filters, ListOptions } from './filters.js';
export { type ReceiptOptions, verifyReceipt } from './receipt.js';
export type { AskOptions } from './send-to-sign.js';
export type { Submitted } from './submitted.js';
export type { Signed } from './verified-signature.js';
export {
  type BatchEndedEvent,
  type RequestEndedEvent,
  verifyWebhook,
  type WebhookEvent,
  type WebhookHeaders,
  type WebhookKeys,
  type WebhookOptions,
} from './webhook.js';
export type {
  BatchResource,
  CancelledAll,
  Device,
  EndError,
  Jwk,
  JwkSet,
  ReceiptClaims,
  RequestResource,
  SignerResource,
  State,
  Times,
} from './wire.js';
