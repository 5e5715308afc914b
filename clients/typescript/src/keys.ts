// The server's keys, fetched when they are needed, and again when one is missing or they are old.

import type { Clock } from './clock.js';
import { UnknownKeyError } from './errors.js';
import type { JwkSet } from './wire.js';

/** A key that the server has withdrawn is believed for no longer. */
const AGE_MS = 3_600_000;
/** Whoever sends forgeries makes the keys be fetched this often at most. */
const AGAIN_MS = 60_000;

/** A cache that several may use at once. */
export class Keys {
  readonly #fetch: () => Promise<JwkSet>;
  readonly #clock: Clock;
  #known: { keys: JwkSet; at: number } | undefined;
  #fetching: Promise<JwkSet> | undefined;

  constructor(fetch: () => Promise<JwkSet>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** What `use` comes to with the keys as they are known, or with fresh ones where it knows none that fits. */
  async with<T>(use: (keys: JwkSet) => Promise<T>): Promise<T> {
    const age = this.#clock.elapsed() - (this.#known?.at ?? -Infinity);
    const keys = this.#known && age < AGE_MS ? this.#known.keys : await this.#refresh();
    try {
      return await use(keys);
    } catch (error) {
      if (!(error instanceof UnknownKeyError) || age < AGAIN_MS || age >= AGE_MS) throw error;
      return use(await this.#refresh());
    }
  }

  #refresh(): Promise<JwkSet> {
    this.#fetching ??= this.#fetched().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetched(): Promise<JwkSet> {
    const keys = await this.#fetch();
    this.#known = { keys, at: this.#clock.elapsed() };
    return keys;
  }
}
