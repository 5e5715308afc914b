import { platform, versions } from 'node:process';
import { program, readWasm } from './program.js';
import { install, type WebSocketConstructor } from './runtime.js';

export * from './index.js';

/** Node.js 20 has no WebSocket of its own. */
let substitute: WebSocketConstructor | undefined;

/** Loads the package `ws`, which npm may have been told to leave out. Frames are bounded before they are held in memory. */
async function loadSubstitute(): Promise<void> {
  const ws = await import('ws').catch(() => undefined);
  substitute = ws && class extends ws.default {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols, { maxPayload: 128 * 1024, perMessageDeflate: false });
    }
  };
}

install({
  ...program,
  async wasm() {
    const [bytes] = await Promise.all([
      readWasm(new URL('./signer.wasm', import.meta.url)),
      globalThis.WebSocket === undefined && loadSubstitute(),
    ]);
    return bytes;
  },
  webSocket: () => globalThis.WebSocket ?? substitute,
  label: () => `Node.js ${versions.node.split('.')[0]} on ${platform}`,
});
