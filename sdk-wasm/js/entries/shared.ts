// What entries have in common, in dist one script: whatever a page imports of the package, each class, each set of what was made
// and the platform are there once. One script is also smaller than many, since each is compressed by itself.

// Before the others: they need it when they are loaded.
import '../platform/encoding-polyfill.js';

export { CountersignError } from '../common/errors.js';
export { Key } from '../keys/key.js';
export { deleteKey, openKey } from '../keys/open-key.js';
export { formatPublicKey } from '../keys/public-key.js';
export { verify } from '../keys/verify.js';
export { WebCryptoKey } from '../keys/web-crypto-key.js';
export { describe, digest } from '../messages/describe.js';
export { init } from '../platform/wasm.js';
export { SignBatch } from '../requests/batch.js';
export { SignRequest } from '../requests/request.js';
export { MemoryPolicyStore } from '../storage/policy-store.js';
export { Wallet } from '../wallet/wallet.js';

// For the package's other entries alone.

/** @internal */
export { fromBase64, isBytes, toBase64 } from '../common/bytes.js';
/** @internal */
export { Emitter } from '../common/emitter.js';
/** @internal */
export { callCore, reasonOf } from '../common/errors.js';
/** @internal */
export { once } from '../common/once.js';
/** @internal */
export { checkSignable, MOST_BYTES, publicKeyOf } from '../keys/signer.js';
/** @internal */
export { install, platform } from '../platform/platform.js';
/** @internal */
export { fetchWasm, instantiate } from '../platform/wasm.js';
/** @internal */
export { web } from '../platform/web.js';
/** @internal */
export { answered, ended } from '../requests/request.js';
/** @internal */
export { overridesByKey } from '../wallet/overrides.js';
