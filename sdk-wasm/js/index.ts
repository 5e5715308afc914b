export type { Description, MessageKind, Segment, Warning } from './describe.js';

export type { ElsewhereRequest } from './elsewhere.js';
export type { ErrorCode } from './errors.js';
export type { ApprovedEvent, ConnectionState, EndedEvent, FrameEvent, StateEvent, WalletEvents } from './events.js';
export type { PrivateJwk } from './key-formats.js';
export type { Device, WalletOptions } from './options.js';
export type { Policies } from './policies.js';
export type { Policy, PolicyRule } from './policy.js';
export type { PolicyStore } from './policy-store.js';
export type { PublicJwk, PublicKeyFormat } from './public-key.js';
export type { Approval, BatchPlace, Rejection, RequestState } from './request.js';
export type { OtherSources, WasmSource, WebSocketConstructor } from './runtime.js';
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
export type { Signer } from './signer.js';
export type { StoredRequest, StoredWallet, WalletIdentity, WalletStore } from './store.js';
export type { KeyName } from './web-crypto-key.js';
