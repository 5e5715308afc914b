import { CountersignError, reasonOf } from '../common/errors.js';
import { withTimeout } from '../common/timeout.js';
import type { StoredRequest, StoredWallet, WalletIdentity, WalletStore } from './wallet-store.js';

/** A store that hangs shall keep nobody from connecting. */
const STORE_TIMEOUT_MS = 5_000;

/** One wallet's way to its store: changes to one request in order, reports by the number of the task. */
export class StoreQueue {
  readonly #store: WalletStore;
  readonly #wallet: WalletIdentity;
  readonly #stored: (task: number, error: string | undefined) => void;
  /** The last change to each request that is under way. */
  readonly #pending = new Map<string, Promise<void>>();
  /** Set while the store could not even be read: what is not kept in memory is then not kept. */
  #isGone = false;

  constructor(store: WalletStore, wallet: WalletIdentity, stored: (task: number, error: string | undefined) => void) {
    this.#store = store;
    this.#wallet = wallet;
    this.#stored = stored;
  }

  /**
   * What is kept, once all changes are written.
   *
   * @throws {CountersignError} `storage_unavailable`; changes are then taken for carried out until the next `load`.
   */
  async load(newDeviceId: string): Promise<StoredWallet> {
    await this.settled();
    this.#isGone = false;
    try {
      const { deviceId, requests } = await withTimeout(this.#store.load(this.#wallet, newDeviceId), STORE_TIMEOUT_MS);
      if (typeof deviceId !== 'string' || !Array.isArray(requests)) throw new TypeError('the store answers in no form known here');
      return { deviceId, requests };
    } catch (cause) {
      this.#isGone = true;
      throw new CountersignError('storage_unavailable', `What this wallet was asked before is not known: ${reasonOf(cause)}`, { cause });
    }
  }

  put(task: number, request: StoredRequest): void {
    this.#change(task, request.id, () => this.#store.put(this.#wallet, request));
  }

  delete(task: number, id: string): void {
    this.#change(task, id, () => this.#store.delete(this.#wallet, id));
  }

  /** Resolves when all changes are written, or the store takes too long. */
  async settled(): Promise<void> {
    if (this.#pending.size > 0) await withTimeout(Promise.all(this.#pending.values()), STORE_TIMEOUT_MS).catch(() => {});
  }

  #change(task: number, id: string, change: () => Promise<void>): void {
    if (this.#isGone) return this.#stored(task, undefined);
    const before = this.#pending.get(id);
    const done = (before === undefined ? attempt(change) : before.then(change)).then(
      () => this.#stored(task, undefined),
      (error: unknown) => this.#stored(task, reasonOf(error)),
    );
    this.#pending.set(id, done);
    void done.then(() => this.#pending.get(id) === done && this.#pending.delete(id));
  }
}

/** Starts at once, and turns what is thrown into a rejection. */
async function attempt(change: () => Promise<void>): Promise<void> {
  await change();
}
