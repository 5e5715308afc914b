import type { SignBatch } from '../requests/batch.js';
import type { Outcome, SignRequest } from '../requests/request.js';
import type { ConnectionState } from '../wallet/events.js';
import type { WalletOptions } from '../wallet/options.js';
import type { ElsewhereRequest } from '../wallet/other-tabs.js';
import { CountersignError, reasonOf, Wallet } from './shared.js';

/** What became of a request that was shown, and why. */
export type RequestOutcome = Outcome & { readonly request: SignRequest };

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
  /** What was answered, and of which it is not certain yet what became. */
  readonly answered: readonly SignRequest[];
  /** What became of the last 16 that are over, answered or not, the latest last. */
  readonly outcomes: readonly RequestOutcome[];
  /** What another tab has open, while that one is connected. */
  readonly elsewhere: readonly ElsewhereRequest[];
  /** What went wrong last; absent once it is connected. */
  readonly error: CountersignError | undefined;
}

const MOST_OUTCOMES = 16;

const isOpen = ({ state }: SignRequest) => state === 'open';

/** Of a wallet that is not there. @internal */
export function idle(publicKey: string | undefined): WalletSnapshot {
  return {
    wallet: undefined,
    publicKey,
    state: 'idle',
    requests: [],
    batches: [],
    answered: [],
    outcomes: [],
    elsewhere: [],
    error: undefined,
  };
}

/** One wallet, and what there is to be shown of it. @internal */
export class SharedWallet {
  /** How many components have it. */
  holders = 0;
  readonly options: WalletOptions;
  readonly listeners = new Set<() => void>();
  readonly #shown = new Map<string, SignRequest>();
  #snapshot: WalletSnapshot;

  /** Does nothing that would have to be undone. */
  constructor(options: WalletOptions) {
    this.options = options;
    this.#snapshot = idle(options.key.publicKey);
  }

  get snapshot(): WalletSnapshot {
    return this.#snapshot;
  }

  /** @throws {CountersignError} as `Wallet.connect` and `new Wallet` do */
  async connect(): Promise<void> {
    try {
      await this.#wallet().connect();
    } catch (cause) {
      const error = cause instanceof CountersignError ? cause : new CountersignError('invalid_key', reasonOf(cause), { cause });
      // Somebody has closed it, who knows.
      if (error.code !== 'closed') this.#show({ error });
      throw error;
    }
  }

  close(): void {
    this.#snapshot.wallet?.close();
  }

  #wallet(): Wallet {
    if (this.#snapshot.wallet !== undefined) return this.#snapshot.wallet;
    const wallet = new Wallet(this.options);
    wallet.on('state', ({ state, error }) =>
      this.#show({ state, error: state === 'connected' ? undefined : (error ?? this.#snapshot.error) }),
    );
    wallet.on('error', (error) => this.#show({ error }));
    wallet.on('elsewhere', (elsewhere) => this.#show({ elsewhere }));
    wallet.on('request', (request) => {
      this.#watch(request);
      this.#show({ requests: [...this.#snapshot.requests, request] });
    });
    wallet.on('batch', (batch) => {
      batch.requests.forEach((request) => this.#watch(request));
      this.#show({ batches: [...this.#snapshot.batches, batch] });
    });
    wallet.on('ended', ({ requestId, ...outcome }) => {
      const request = this.#shown.get(requestId);
      // Nobody was shown what a policy has approved, or what is only sent again.
      if (request === undefined) return;
      this.#shown.delete(requestId);
      this.#show({ outcomes: [...this.#snapshot.outcomes, { request, ...outcome }].slice(-MOST_OUTCOMES) });
    });
    this.#show({ wallet });
    return wallet;
  }

  #watch(request: SignRequest): void {
    this.#shown.set(request.id, request);
    request.on('change', () => this.#show());
  }

  #show(changed: Partial<WalletSnapshot> = {}): void {
    const next = { ...this.#snapshot, ...changed };
    this.#snapshot = {
      ...next,
      requests: next.requests.filter(isOpen),
      batches: next.batches.filter(({ requests }) => requests.some(isOpen)),
      answered: [...this.#shown.values()].filter(({ state }) => state === 'answered'),
    };
    for (const listener of this.listeners) listener();
  }
}
