import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import Ws from 'ws';
import { CountersignError } from './errors.js';
import { fetchWasm, install, type WebSocketConstructor } from './runtime.js';

export * from './index.js';

/** Node.js 20 has no WebSocket of its own. Frames are bounded before they are held in memory. */
class BoundedWs extends Ws {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { maxPayload: 128 * 1024, perMessageDeflate: false });
  }
}

install({
  wasm: new URL('./countersign.wasm', import.meta.url),
  async read(url) {
    const parsed = new URL(url, import.meta.url);
    if (parsed.protocol !== 'file:') return fetchWasm(parsed);
    try {
      return await readFile(fileURLToPath(parsed));
    } catch (cause) {
      throw new CountersignError(
        'wasm_not_found',
        `${parsed.href} could not be read (${String(cause)}). A bundler may have left it behind: copy it, or say where it is with init(url).`,
        { cause },
      );
    }
  },
  webSocket: () => (globalThis.WebSocket as WebSocketConstructor | undefined) ?? BoundedWs,
  store: undefined,
  // A process is no tab, though Node.js 24 has the means too.
  tabs: () => undefined,
  label: () => `Node.js ${process.versions.node.split('.')[0]} on ${process.platform}`,
});
