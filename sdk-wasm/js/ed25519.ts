import initEd25519, { CoreKey, Verdict, verify } from './ed25519-core.js';
import { ed25519Source, moduleOf, once } from './runtime.js';

export { CoreKey, Verdict, verify };

/** Loads the WebAssembly that signs and verifies. */
export const loadEd25519 = once(async () => {
  await initEd25519({ module_or_path: await moduleOf(await ed25519Source()) });
});
