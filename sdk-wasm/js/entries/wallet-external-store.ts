import type { SignBatch } from '../requests/batch.js';
import type { SignRequest } from '../requests/request.js';
import type { ConnectionState } from '../wallet/events.js';
import type { WalletOptions } from '../wallet/options.js';
import type { ElsewhereRequest } from '../wallet/other-tabs.js';
import { CountersignError, reasonOf, Wallet } from './shared.js';

/** What a page shows of a wallet; a new object at each change. */
export interface WalletSnapshot {
  /** The wallet itself, such as for its `policies`; absent while there is no key, and on a server. */
  readonly wallet: Wallet | undefined;
  /** The public key in base64, if there is a key. */
  readonly publicKey: string | undefined;
  /** The connection's state. */
  readonly state: ConnectionState;
  /** What waits for the human and came alone. */
  readonly requests: readonly SignRequest[];
  /** What waits for the human and came together. */
  readonly batches: readonly SignBatch[];
  /** What another tab has open, while that one is connected. */
  readonly elsewhere: readonly ElsewhereRequest[];
  /** What went wrong last; absent once it is connected. */
  readonly error: CountersignError | undefined;
}

/** One wallet as an external store: it lives while somebody retains it. @internal */
export class WalletSource {
  readonly #options: WalletOptions | undefined;
  readonly #listeners = new Set<() => void>();
  #holders = 0;
  #snapshot: WalletSnapshot;

  /** Does nothing that would have to be undone. */
  constructor(options: WalletOptions | undefined) {
    this.#options = options;
    this.#snapshot = {
      wallet: undefined,
      publicKey: options?.key.publicKey,
      state: 'idle',
      requests: [],
      batches: [],
      elsewhere: [],
      error: undefined,
    };
  }

  readonly snapshot = (): WalletSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** @throws {CountersignError} as `Wallet.connect` and `new Wallet` do */
  readonly connect = async (): Promise<void> => {
    try {
      await this.#wallet()?.connect();
    } catch (cause) {
      const error = cause instanceof CountersignError ? cause : new CountersignError('invalid_key', reasonOf(cause), { cause });
      // Somebody has closed it, who knows.
      if (error.code !== 'closed') this.#show({ error });
      throw error;
    }
  };

  readonly close = (): void => this.#snapshot.wallet?.close();

  /** Keeps the wallet until the function returned is called, and connects it if that is asked. */
  retain(connects: boolean): () => void {
    this.#holders += 1;
    // What goes wrong is in the snapshot.
    if (connects) void this.connect().catch(() => {});
    return () => {
      this.#holders -= 1;
      // React's StrictMode lets go and retains at once.
      queueMicrotask(() => this.#holders === 0 && this.close());
    };
  }

  #wallet(): Wallet | undefined {
    if (this.#snapshot.wallet !== undefined || this.#options === undefined) return this.#snapshot.wallet;
    const wallet = new Wallet(this.#options);
    wallet.on('state', ({ state, error }) =>
      this.#show({ state, error: state === 'connected' ? undefined : (error ?? this.#snapshot.error) }),
    );
    wallet.on('error', (error) => this.#show({ error }));
    wallet.on('elsewhere', (elsewhere) => this.#show({ elsewhere }));
    wallet.on('request', (request) => {
      request.on('change', () => this.#show());
      this.#show({ requests: [...this.#snapshot.requests, request] });
    });
    wallet.on('batch', (batch) => {
      batch.on('change', () => this.#show());
      this.#show({ batches: [...this.#snapshot.batches, batch] });
    });
    this.#show({ wallet });
    return wallet;
  }

  #show(changed: Partial<WalletSnapshot> = {}): void {
    const next = { ...this.#snapshot, ...changed };
    const isOpen = ({ state }: SignRequest) => state === 'open';
    this.#snapshot = {
      ...next,
      requests: next.requests.filter(isOpen),
      batches: next.batches.filter(({ requests }) => requests.some(isOpen)),
    };
    for (const listener of this.#listeners) listener();
  }
}
