import { fetchWasm, install, web } from './shared.js';

export * from './index.js';

// Written out in full: bundlers look for exactly these expressions.
install({
  ...web,
  wasm: () => fetchWasm(new URL('./signer.wasm', import.meta.url)),
  ed25519: () => fetchWasm(new URL('./ed25519.wasm', import.meta.url)),
});
