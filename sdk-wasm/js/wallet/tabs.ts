import type { Channel, TabGroup } from '../platform/tab-group.js';
import { type ElsewhereRequest, readElsewhere } from './other-tabs.js';

/** How often a tab that stands by and that somebody works with sees whether the one that leads still answers, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

/** After so many times without an answer it is frozen, and leads no more. */
const MOST_UNANSWERED = 2;

/** How long the tab that leads has to write down what the next is to find, in milliseconds. */
const HAND_OVER_MS = 1_000;

/** What a tab has to say, and is told. */
export interface TabMember {
  /** What this tab has open. */
  ownRequests(): readonly ElsewhereRequest[];
  /** Called with what another tab has open, whenever that changes. */
  elsewhere(requests: readonly ElsewhereRequest[]): void;
  /** Called when another tab has changed the policies. */
  policiesChanged(): void;
  /** Called when another tab takes the lead: this one is to `leave`. */
  replaced(): void;
}

type TabMessage =
  | { ask: true }
  | { take: true }
  | { policies: true }
  | { open: readonly ElsewhereRequest[]; isHidden?: boolean; hasLeft?: boolean };

/**
 * The tabs that have one wallet open. The one that holds its lock leads: it alone connects and asks. Where somebody works with
 * another, that one takes the lead when something waits in a hidden tab, when the tab that leads is frozen, or when it is told to.
 */
export class Tabs {
  readonly #name: string;
  readonly #group: TabGroup;
  readonly #self: TabMember;
  #channel: Channel | undefined;
  #release: (() => void) | undefined;
  /** Resolves when a lock that was taken or waited for is given back. */
  #left: Promise<void> = Promise.resolve();
  #announcing = false;
  /** Takes the lock from the tab that has it; there while this one stands by. */
  #steal: (() => void) | undefined;
  #stealTimer: ReturnType<typeof setTimeout> | undefined;
  #unanswered = 0;

  constructor(name: string, group: TabGroup, self: TabMember) {
    this.#name = name;
    this.#group = group;
    this.#self = self;
  }

  /** Resolves when this tab leads. `onStandby` is called if another does. Rejects if `signal` aborts or there can be no lock. */
  async lead(signal: AbortSignal, onStandby: () => unknown): Promise<void> {
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
      this.#left = this.#request(hold, signal, onStandby).catch((error: unknown) => {
        reject(error);
        if (this.#release === undefined) return;
        this.#release = undefined;
        this.#self.replaced();
      });
    });
    this.#self.elsewhere([]);
    this.announce();
  }

  /** Lets another tab lead, once `written` resolves: it is to find all that this one kept. */
  async leave(written: Promise<void>): Promise<void> {
    const channel = this.#channel;
    const release = this.#release;
    this.#channel = undefined;
    this.#release = undefined;
    this.#self.elsewhere([]);
    if (release !== undefined) {
      await written;
      channel?.postMessage({ open: [], hasLeft: true } satisfies TabMessage);
      release();
    }
    channel?.close();
  }

  /** Tells the other tabs what is open here, if this one leads; at most once in a turn. */
  announce(): void {
    if (this.#announcing || this.#release === undefined) return;
    this.#announcing = true;
    queueMicrotask(() => {
      this.#announcing = false;
      if (this.#release !== undefined) this.#post({ open: this.#self.ownRequests(), isHidden: !this.#group.isVisible() });
    });
  }

  /** Tells the other tabs that the policies have changed. */
  announcePolicies(): void {
    this.#post({ policies: true });
  }

  /** Has the tab that leads give the lead to this one; without its consent where it does not answer. */
  take(): void {
    if (this.#steal === undefined) return;
    this.#post({ take: true });
    this.#stealTimer ??= setTimeout(this.#steal, HAND_OVER_MS);
  }

  /** Sees whether the tab that leads is well, if somebody works with this one. */
  look(): void {
    if (this.#steal === undefined) return;
    if (!this.#group.isFocused()) {
      this.#unanswered = 0;
      return;
    }
    if (this.#unanswered === MOST_UNANSWERED) this.take();
    else this.#unanswered += 1;
    this.#post({ ask: true });
  }

  /** Resolves when the lock was held and is given back; rejects where it is taken away. */
  async #request(hold: () => Promise<void>, signal: AbortSignal, onStandby: () => unknown): Promise<void> {
    const { locks } = this.#group;
    let isTaken = false;
    await locks.request(this.#name, { ifAvailable: true }, (lock) => {
      isTaken = lock === null;
      return isTaken ? undefined : hold();
    });
    if (!isTaken) return;
    signal.throwIfAborted();
    onStandby();
    const waiting = new AbortController();
    const stop = () => waiting.abort(signal.reason);
    signal.addEventListener('abort', stop);
    this.#steal = stop;
    const looking = setInterval(() => this.look(), LOOK_EVERY_MS);
    const endStandby = () => {
      clearInterval(looking);
      clearTimeout(this.#stealTimer);
      this.#steal = undefined;
      this.#stealTimer = undefined;
      this.#unanswered = 0;
    };
    const take = () => {
      endStandby();
      return hold();
    };
    this.#post({ ask: true });
    this.#unanswered = 1;
    try {
      await locks.request(this.#name, { signal: waiting.signal }, take);
    } catch (error) {
      const isStealing = waiting.signal.aborted && !signal.aborted && this.#steal !== undefined;
      endStandby();
      if (!isStealing) throw error;
      await locks.request(this.#name, { steal: true }, hold);
    }
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
      else if ('take' in data) this.#self.replaced();
      return;
    }
    const requests = 'open' in data ? readElsewhere(data.open) : undefined;
    if (requests === undefined) return;
    this.#unanswered = 0;
    this.#self.elsewhere(requests);
    if ('hasLeft' in data && this.#stealTimer !== undefined) this.#steal?.();
    else if ('isHidden' in data && data.isHidden === true && this.#group.isFocused() && requests.some(({ state }) => state === 'open')) {
      this.take();
    }
  }

  #post(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }
}
