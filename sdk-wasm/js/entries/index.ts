export type { Bytes } from '../common/bytes.js';
export type { ErrorCode } from '../common/errors.js';
export type { PrivateJwk } from '../keys/key-formats.js';
export type { PublicJwk, PublicKeyFormat } from '../keys/public-key.js';
export type { Signer } from '../keys/signer.js';
export type { KeyName } from '../keys/web-crypto-key.js';
export type { Description, MessageKind, Segment, Warning } from '../messages/describe.js';
export type { WebSocketConstructor } from '../platform/platform.js';
export type { OtherSources, WasmSource } from '../platform/wasm.js';
export type { Policies } from '../policies/policies.js';
export type { Policy, PolicyRule } from '../policies/policy.js';
export type { Approval, BatchPlace, Outcome, Rejection, RequestState, Settled, Unused } from '../requests/request.js';
export type { PolicyStore } from '../storage/policy-store.js';
export type { StoredRequest, StoredWallet, WalletIdentity, WalletStore } from '../storage/wallet-store.js';
export type {
  ApprovedEvent,
  ClosedEvent,
  ConnectedEvent,
  ConnectionState,
  EndedEvent,
  FrameEvent,
  OnTheWayEvent,
  ReconnectingEvent,
  StateEvent,
  WalletEvents,
} from '../wallet/events.js';
export type { Device, WalletOptions } from '../wallet/options.js';
export type { ElsewhereRequest } from '../wallet/other-tabs.js';
export {
  CountersignError,
  deleteKey,
  describe,
  digest,
  formatPublicKey,
  init,
  Key,
  MemoryPolicyStore,
  openKey,
  SignBatch,
  SignRequest,
  verify,
  Wallet,
  WebCryptoKey,
} from './shared.js';
