import { fetchWasm, install } from './shared.js';
import module from './signer.wasm';

export * from './index.js';

// Imported, because workerd compiles no WebAssembly while it runs.
install({
  wasm: () => module,
  read: fetchWasm,
  webSocket: () => globalThis.WebSocket,
  // There is a global `origin` here, but no header of that name.
  origin: () => '',
  store: undefined,
  tabs: () => undefined,
  label: () => 'Cloudflare Workers',
});
