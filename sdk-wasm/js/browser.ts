import { fetchWasm, install, web } from './shared.js';

export * from './index.js';

// Written out in full: bundlers look for exactly this expression.
install({ ...web, wasm: () => fetchWasm(new URL('./signer.wasm', import.meta.url)) });
