import { createRequire } from 'node:module';
import { platform, versions } from 'node:process';
import type { WebSocketConstructor } from '../platform/platform.js';
import { outsideBrowser } from './outside-browser.js';
import { install } from './shared.js';

export * from './index.js';

type Ws = new (
  url: string,
  protocols: string | string[] | undefined,
  options: { maxPayload: number; perMessageDeflate: boolean },
) => object;

let loaded: WebSocketConstructor | undefined;

/** The package `ws` for Node.js 20, which has no WebSocket of its own; undefined where npm was told to leave it out. */
function loadSubstitute(): WebSocketConstructor | undefined {
  let Ws: Ws;
  try {
    Ws = createRequire(import.meta.url)('ws');
  } catch {
    return undefined;
  }
  return class extends Ws {
    constructor(url: string, protocols?: string | string[]) {
      // Frames are bounded before they are held in memory.
      super(url, protocols, { maxPayload: 128 * 1024, perMessageDeflate: false });
    }
  };
}

function substitute(): WebSocketConstructor | undefined {
  loaded ??= loadSubstitute();
  return loaded;
}

/**
 * Whether a unit test imitates a page here, whose WebSocket states that page's origin, and in some versions breaks when it is opened: jsdom's is made
 * of events that another realm does not know.
 */
function isImitated(): boolean {
  return typeof document !== 'undefined';
}

install({
  ...outsideBrowser,
  webSocket: () => (isImitated() ? substitute() : undefined) ?? globalThis.WebSocket ?? substitute(),
  origin: () => (isImitated() && substitute() === undefined ? (globalThis.location?.origin ?? '') : ''),
  label: () => `Node.js ${versions.node.split('.')[0]} on ${platform}`,
});
