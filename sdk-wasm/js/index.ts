import { verify as coreVerify } from './core.js';
import { guarded } from './errors.js';
import { init } from './runtime.js';

export { SignBatch } from './batch.js';
export type { ElsewhereRequest } from './elsewhere.js';
export { CountersignError, type ErrorCode } from './errors.js';
export { Key } from './key.js';
export type { PrivateJwk } from './key-formats.js';
export { deleteKey, openKey } from './open-key.js';
export { formatPublicKey, type PublicJwk, type PublicKeyFormat } from './public-key.js';
export { SignRequest, type Approval, type BatchPlace, type Rejection, type RequestState } from './request.js';
export { init, type WasmSource, type WebSocketConstructor } from './runtime.js';
export type { Signer } from './signer.js';
export type { StoredRequest, StoredWallet, WalletIdentity, WalletStore } from './store.js';
export {
  Wallet, type ConnectionState, type Device, type FrameEvent, type StateEvent, type WalletEvents, type WalletOptions,
} from './wallet.js';
export { WebCryptoKey, type KeyName } from './web-crypto-key.js';

/**
 * Whether a signature holds over a message, by the strictest rules in use (RFC 8032, canonical encodings, no point of small order).
 *
 * @param publicKey 32 bytes in base64
 * @param signature 64 bytes in base64
 * @throws {CountersignError} `invalid_public_key`, `invalid_signature`, `invalid_message` for what cannot even be read.
 */
export async function verify(publicKey: string, message: Uint8Array, signature: string): Promise<boolean> {
  await init();
  return guarded(() => coreVerify(publicKey, message, signature));
}
