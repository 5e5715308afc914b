import { once } from '../common/once.js';
import * as script from '../ed25519-core.js';
import { ed25519Source, instantiate } from '../platform/wasm.js';

export { CoreKey, Verdict, verify } from '../ed25519-core.js';

/** Loads the WebAssembly that signs and verifies. */
export const loadEd25519 = once(async () => instantiate('ed25519-core', script, await ed25519Source()));
