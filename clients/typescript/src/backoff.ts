// How long to wait before a call is made again. It knows no clock and no network.

const FIRST_MS = 100;
const MOST_MS = 5_000;

/** What is known of an attempt that failed. */
export interface Attempt {
  /** What the server asked for. */
  retryAfterMs: number | undefined;
  /** Whether another server may do better at once. */
  elsewhere: boolean;
}

/** Doubles from attempt to attempt, up to five seconds, each between half and the whole of it. */
export class Backoff {
  readonly #random: () => number;
  readonly #servers: number;
  #attempts = 0;
  #tried = 1;

  /** @param random from 0 to 1 */
  constructor(random: () => number, servers: number) {
    this.#random = random;
    this.#servers = servers;
  }

  /** In milliseconds. With several servers each is tried before there is any waiting. */
  next({ retryAfterMs = 0, elsewhere }: Attempt): number {
    if (elsewhere && this.#tried < this.#servers) {
      this.#tried++;
      return 0;
    }
    this.#tried = 1;
    const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(this.#attempts++, 16));
    const own = most * (0.5 + this.#random() / 2);
    // Those who were told the same time do not all come at once.
    return retryAfterMs > own ? retryAfterMs + FIRST_MS * this.#random() : own;
  }

  reset(): void {
    this.#attempts = 0;
    this.#tried = 1;
  }
}
