import ed25519 from './ed25519.wasm';
import { fetchWasm, install } from './shared.js';
import signer from './signer.wasm';

export * from './index.js';

// Imported, because workerd compiles no WebAssembly while it runs.
install({
  wasm: () => signer,
  ed25519: () => ed25519,
  read: fetchWasm,
  webSocket: () => globalThis.WebSocket,
  // There is a global `origin` here, but no header of that name.
  origin: () => '',
  store: undefined,
  onReturn: () => () => {},
  tabs: () => undefined,
  label: () => 'Cloudflare Workers',
});
