import type { Signer } from '../keys/signer.js';
import type { WebSocketConstructor } from '../platform/platform.js';
import type { TabGroup } from '../platform/tab-group.js';
import type { PolicyStore } from '../storage/policy-store.js';
import type { WalletStore } from '../storage/wallet-store.js';

/** Which of the devices that hold one key this is. */
export interface Device {
  /** Stable over reconnects; at most 64 bytes. */
  id: string;
  /** For people; at most 64 bytes. */
  label: string;
}

/** How a wallet is set up. */
export interface WalletOptions {
  /**
   * The key it signs with: of `openKey()`, a {@link Key}, or any {@link Signer}. It stays the caller's: closing the wallet does
   * not free it.
   */
  key: Signer;
  /**
   * The server's WebSocket address; http and https stand for ws and wss. In a page, `/ws` of its own origin unless given. Or those of 1 to 16 nodes
   * of one server: the wallet dials one of them at random, and another when that is lost. What is kept goes by the first in the list.
   */
  url?: string | URL | readonly (string | URL)[];
  /** Which device this is; an id that is kept in the store, or else random, and the browser's name unless given. */
  device?: Device;
  /**
   * Where to keep what was shown and answered, so that a human is asked once, whatever crashes. In a browser its IndexedDB unless
   * given, elsewhere nothing outlives the process unless given. `false` keeps nothing.
   */
  store?: WalletStore | false;
  /**
   * Where to keep what the human has allowed in advance. In a browser its IndexedDB unless given or `store` is false, elsewhere it
   * ends with the wallet unless given.
   */
  policyStore?: PolicyStore;
  /**
   * Whether only one tab at a time connects this key to this server, and another takes over when that one closes (`one`, the
   * default where the browser has Web Locks), or each tab does and asks (`each`).
   */
  tabs?: 'one' | 'each';
  /** What tabs have in common, in place of the browser's. @internal */
  tabGroup?: TabGroup;
  /** The WebSocket to use; the platform's own unless given. */
  WebSocket?: WebSocketConstructor;
  /** The longest wait before the first reconnect (1,000) and before any (30,000), in milliseconds. */
  backoff?: { initialMs?: number; maxMs?: number };
}
