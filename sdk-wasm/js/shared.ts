// What entries have in common, in dist one script: whatever a page imports of the package, each class, each set of what was made
// and the platform are there once. One script is also smaller than many, since each is compressed by itself.

export { SignBatch } from './batch.js';
export { describe, digest } from './describe.js';
export { CountersignError } from './errors.js';
export { Key } from './key.js';
export { deleteKey, openKey } from './open-key.js';
export { MemoryPolicyStore } from './policy-store.js';
export { formatPublicKey } from './public-key.js';
export { SignRequest } from './request.js';
export { init } from './runtime.js';
export { verify } from './verify.js';
export { Wallet } from './wallet.js';
export { WebCryptoKey } from './web-crypto-key.js';

// For the package's other entries alone.

/** @internal */
export { fromBase64, toBase64 } from './bytes.js';
/** @internal */
export { Emitter } from './emitter.js';
/** @internal */
export { guarded, reasonOf } from './errors.js';
/** @internal */
export { fetchWasm, install, instantiate, once } from './runtime.js';
/** @internal */
export { checkSignable, MOST_BYTES, publicKeyOf } from './signer.js';
/** @internal */
export { web } from './web.js';
