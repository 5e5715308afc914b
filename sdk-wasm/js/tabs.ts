import { readElsewhere, type ElsewhereRequest } from './elsewhere.js';

/** The little of the Web Locks API that is used here. */
export interface Locks {
  request(
    name: string,
    options: { ifAvailable?: boolean; signal?: AbortSignal },
    callback: (lock: object | null) => Promise<void> | undefined,
  ): Promise<void>;
}

/** The little of the BroadcastChannel API that is used here. */
export interface Channel {
  postMessage(message: unknown): void;
  close(): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** What tabs of one browser have in common. */
export interface Neighbourhood {
  readonly locks: Locks;
  readonly Channel: new (name: string) => Channel;
}

/** The tabs that have one wallet open. The one that holds its lock leads: it alone connects and asks. */
export class Tabs {
  readonly #name: string;
  readonly #neighbourhood: Neighbourhood;
  readonly #ownRequests: () => readonly ElsewhereRequest[];
  readonly #elsewhere: (requests: readonly ElsewhereRequest[]) => void;
  #channel: Channel | undefined;
  #release: (() => void) | undefined;
  /** Resolves when a lock that was taken or waited for is given back. */
  #left: Promise<void> = Promise.resolve();
  #announcing = false;

  /**
   * @param ownRequests what this tab has open
   * @param elsewhere   called with what another tab has open, whenever that changes
   */
  constructor(
    name: string,
    neighbourhood: Neighbourhood,
    ownRequests: () => readonly ElsewhereRequest[],
    elsewhere: (requests: readonly ElsewhereRequest[]) => void,
  ) {
    this.#name = name;
    this.#neighbourhood = neighbourhood;
    this.#ownRequests = ownRequests;
    this.#elsewhere = elsewhere;
  }

  /** Resolves when this tab leads. `onStandby` is called if another does. Rejects if `signal` aborts or there can be no lock. */
  async lead(signal: AbortSignal, onStandby: () => void): Promise<void> {
    // A wallet that was closed and is connected again is not to wait behind itself.
    await this.#left;
    signal.throwIfAborted();
    this.#listen();
    await new Promise<void>((resolve, reject) => {
      const hold = () => new Promise<void>((release) => {
        if (signal.aborted) return release(reject(signal.reason));
        this.#release = release;
        resolve();
      });
      this.#left = this.#request(hold, signal, onStandby).catch(reject);
    });
    this.#elsewhere([]);
    this.announce();
  }

  /** Lets another tab lead, once `written` resolves: it is to find all that this one kept. */
  async leave(written: Promise<void>): Promise<void> {
    if (this.#release !== undefined) {
      await written;
      this.#post({ open: [] });
    }
    this.#channel?.close();
    this.#channel = undefined;
    this.#release?.();
    this.#release = undefined;
    this.#elsewhere([]);
  }

  /** Tells the other tabs what is open here, if this one leads; at most once in a turn. */
  announce(): void {
    if (this.#announcing || this.#release === undefined) return;
    this.#announcing = true;
    queueMicrotask(() => {
      this.#announcing = false;
      if (this.#release !== undefined) this.#post({ open: this.#ownRequests() });
    });
  }

  /** Resolves when the lock was held and is given back. */
  async #request(hold: () => Promise<void> | undefined, signal: AbortSignal, onStandby: () => void): Promise<void> {
    const { locks } = this.#neighbourhood;
    let isTaken = false;
    await locks.request(this.#name, { ifAvailable: true }, (lock) => {
      isTaken = lock === null;
      return isTaken ? undefined : hold();
    });
    if (!isTaken) return;
    signal.throwIfAborted();
    onStandby();
    this.#post({ ask: true });
    await locks.request(this.#name, { signal }, hold);
  }

  #listen(): void {
    this.#channel?.close();
    const channel = new this.#neighbourhood.Channel(this.#name);
    channel.onmessage = ({ data }) => this.#handle(data);
    this.#channel = channel;
  }

  #handle(data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    if (this.#release !== undefined) {
      if ('ask' in data) this.announce();
      return;
    }
    const requests = 'open' in data ? readElsewhere(data.open) : undefined;
    if (requests !== undefined) this.#elsewhere(requests);
  }

  #post(message: { ask: true } | { open: readonly ElsewhereRequest[] }): void {
    this.#channel?.postMessage(message);
  }
}
