import type { Channel, TabGroup } from '../platform/tab-group.js';
import { type ElsewhereRequest, readElsewhere } from './other-tabs.js';

/** What a tab has to say, and is told. */
export interface TabMember {
  /** What this tab has open. */
  ownRequests(): readonly ElsewhereRequest[];
  /** Called with what another tab has open, whenever that changes. */
  elsewhere(requests: readonly ElsewhereRequest[]): void;
  /** Called when another tab has changed the policies. */
  policiesChanged(): void;
}

/** The tabs that have one wallet open. The one that holds its lock leads: it alone connects and asks. */
export class Tabs {
  readonly #name: string;
  readonly #group: TabGroup;
  readonly #self: TabMember;
  #channel: Channel | undefined;
  #release: (() => void) | undefined;
  /** Resolves when a lock that was taken or waited for is given back. */
  #left: Promise<void> = Promise.resolve();
  #announcing = false;

  constructor(name: string, group: TabGroup, self: TabMember) {
    this.#name = name;
    this.#group = group;
    this.#self = self;
  }

  /** Resolves when this tab leads. `onStandby` is called if another does. Rejects if `signal` aborts or there can be no lock. */
  async lead(signal: AbortSignal, onStandby: () => void): Promise<void> {
    // A wallet that was closed and is connected again is not to wait behind itself.
    await this.#left;
    signal.throwIfAborted();
    this.#listen();
    await new Promise<void>((resolve, reject) => {
      const hold = () =>
        new Promise<void>((release) => {
          if (signal.aborted) return release(reject(signal.reason));
          this.#release = release;
          resolve();
        });
      this.#left = this.#request(hold, signal, onStandby).catch(reject);
    });
    this.#self.elsewhere([]);
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
    this.#self.elsewhere([]);
  }

  /** Tells the other tabs what is open here, if this one leads; at most once in a turn. */
  announce(): void {
    if (this.#announcing || this.#release === undefined) return;
    this.#announcing = true;
    queueMicrotask(() => {
      this.#announcing = false;
      if (this.#release !== undefined) this.#post({ open: this.#self.ownRequests() });
    });
  }

  /** Tells the other tabs that the policies have changed. */
  announcePolicies(): void {
    this.#post({ policies: true });
  }

  /** Resolves when the lock was held and is given back. */
  async #request(hold: () => Promise<void> | undefined, signal: AbortSignal, onStandby: () => void): Promise<void> {
    const { locks } = this.#group;
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
    const channel = new this.#group.Channel(this.#name);
    channel.onmessage = ({ data }) => this.#handle(data);
    this.#channel = channel;
  }

  #handle(data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    if ('policies' in data) return this.#self.policiesChanged();
    if (this.#release !== undefined) {
      if ('ask' in data) this.announce();
      return;
    }
    const requests = 'open' in data ? readElsewhere(data.open) : undefined;
    if (requests !== undefined) this.#self.elsewhere(requests);
  }

  #post(message: { ask: true } | { policies: true } | { open: readonly ElsewhereRequest[] }): void {
    this.#channel?.postMessage(message);
  }
}
