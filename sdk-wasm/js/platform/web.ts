import { IndexedDbStore } from '../storage/indexed-db.js';
import type { Platform } from './platform.js';
import { fetchWasm } from './wasm.js';

const BROWSERS: [RegExp, string][] = [
  [/\bEdg\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/\bChromium\//, 'Chromium'],
  [/Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

/** What pages and workers of a browser offer, wherever their WebAssembly comes from. */
export const web: Omit<Platform, 'wasm' | 'ed25519'> = {
  read: fetchWasm,
  webSocket: () => globalThis.WebSocket,
  // Imitated pages have the second alone.
  origin: () => globalThis.origin ?? globalThis.location?.origin ?? '',
  label() {
    const agent = globalThis.navigator?.userAgent ?? '';
    const named = (names: [RegExp, string][], otherwise: string) => names.find(([pattern]) => pattern.test(agent))?.[1] ?? otherwise;
    return `${named(BROWSERS, 'Browser')} on ${named(SYSTEMS, 'an unknown system')}`;
  },
  store: new IndexedDbStore(),
  onReturn(listener) {
    const ended = new AbortController();
    const { signal } = ended;
    // In a worker there is the first alone.
    for (const name of ['online', 'focus', 'pageshow']) globalThis.addEventListener?.(name, listener, { signal });
    const seen = () => isVisible() && listener();
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', seen, { signal });
    return () => ended.abort();
  },
  tabs() {
    // Web Locks are there in secure contexts only.
    const locks = globalThis.navigator?.locks as LockManager | undefined;
    if (locks === undefined || typeof BroadcastChannel === 'undefined') return undefined;
    return { locks, Channel: BroadcastChannel, isVisible, isFocused: () => isVisible() && document.hasFocus() };
  },
};

/** Nobody sees a worker. */
function isVisible(): boolean {
  return globalThis.document?.visibilityState === 'visible';
}
