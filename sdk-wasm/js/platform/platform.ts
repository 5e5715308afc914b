import type { PolicyStore } from '../storage/policy-store.js';
import type { WalletStore } from '../storage/wallet-store.js';
import type { TabGroup } from './tab-group.js';

/** Any constructor with the interface of the browser's `WebSocket`, such as that of the package `ws`. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => unknown;

/** What differs between browsers, Node.js and the others. @internal */
export interface Platform {
  /** The package's own WebAssembly, which every wallet needs. */
  wasm(): WebAssembly.Module | Promise<BufferSource>;
  /** That of a `Key`, of `verify` and of signers that are not the package's. */
  ed25519(): WebAssembly.Module | Promise<BufferSource>;
  read(source: string | URL): Promise<BufferSource>;
  webSocket(): WebSocketConstructor | undefined;
  /** The origin that a handshake states; empty where it states none. */
  origin(): string;
  /** What to call this device when nobody said. */
  label(): string;
  /** Where wallets keep what has to outlive this page, if anywhere. */
  readonly store: (WalletStore & PolicyStore) | undefined;
  /** Calls `listener` when the network is back or somebody looks at this page again, until the function returned is called. */
  onReturn(listener: () => void): () => void;
  /** How tabs find each other, where there are tabs. */
  tabs(): TabGroup | undefined;
}

let current: Platform | undefined;

/** Called once, by the entry. @internal */
export function install(own: Platform): void {
  current = own;
}

/** Where this runs. @internal */
export function platform(): Platform {
  if (current === undefined) throw new Error("import 'countersign' or 'countersign/inline' first: it knows where this runs");
  return current;
}
