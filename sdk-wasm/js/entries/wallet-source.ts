import type { WalletOptions } from '../wallet/options.js';
import { idle, SharedWallet, type WalletSnapshot } from './shared-wallet.js';

/** The wallets that components have, by key and server: two of one would take the tab's lock from each other. */
const wallets = new Map<string, SharedWallet>();

/** A wallet as one component has it: an external store, whose wallet it shares with all others of the same key and server. */
export class WalletSource {
  readonly #options: WalletOptions | undefined;
  readonly #idle: WalletSnapshot;
  readonly #listeners = new Set<() => void>();
  #shared: SharedWallet | undefined;

  /** Does nothing that would have to be undone. */
  constructor(options: WalletOptions | undefined) {
    this.#options = options;
    this.#idle = idle(options?.key.publicKey);
  }

  readonly snapshot = (): WalletSnapshot => this.#shared?.snapshot ?? this.#idle;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** @throws {CountersignError} as `Wallet.connect` and `new Wallet` do */
  readonly connect = async (): Promise<void> => this.#share()?.connect();

  readonly close = (): void => this.#shared?.close();

  /** Keeps the wallet until the function returned is called, and connects it if that is asked. */
  retain(connects: boolean): () => void {
    const shared = this.#share();
    if (shared === undefined) return () => {};
    shared.holders += 1;
    // What goes wrong is in the snapshot.
    if (connects) void shared.connect().catch(() => {});
    return () => {
      shared.holders -= 1;
      // React's StrictMode lets go and retains at once.
      queueMicrotask(() => {
        if (shared.holders > 0) return;
        if (wallets.get(idOf(shared.options)) === shared) wallets.delete(idOf(shared.options));
        shared.listeners.delete(this.#tell);
        shared.close();
      });
    };
  }

  #share(): SharedWallet | undefined {
    if (this.#options === undefined) return undefined;
    const id = idOf(this.#options);
    let shared = wallets.get(id);
    // One that nobody has any more is about to be closed. Its key may be another object because that one was freed, and its list of nodes another.
    const { key, url } = this.#options;
    if (shared === undefined || (shared.holders === 0 && (shared.options.key !== key || String(shared.options.url) !== String(url)))) {
      shared = new SharedWallet(this.#options);
      wallets.set(id, shared);
    }
    if (shared !== this.#shared) {
      this.#shared?.listeners.delete(this.#tell);
      this.#shared = shared;
    }
    // Again too where React lets go and retains at once.
    shared.listeners.add(this.#tell);
    this.#tell();
    return shared;
  }

  readonly #tell = (): void => {
    for (const listener of this.#listeners) listener();
  };
}

/** The same for what a tab's lock is the same for: the key, and the address that is listed first, without its query. */
function idOf({ key, url }: WalletOptions): string {
  return `${key.publicKey} ${addressOf(String([url ?? '/ws'].flat()[0]))}`;
}

function addressOf(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url, globalThis.location?.href);
    return `${protocol.replace('http', 'ws')}//${host}${pathname}`;
  } catch {
    // The wallet will say so.
    return url;
  }
}
