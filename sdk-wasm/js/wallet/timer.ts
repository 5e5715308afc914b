/** The longest delay that `setTimeout` keeps; anything above fires at once. Whoever is woken early looks at the clock. */
const LONGEST_MS = 2 ** 31 - 1;

/** A timer that is set anew each time. */
export class Timer {
  readonly #fire: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fire: () => void) {
    this.#fire = fire;
  }

  /** Fires once in so many milliseconds, or never where they are infinite. */
  set(ms: number): void {
    clearTimeout(this.#timer);
    if (ms < Infinity) this.#timer = setTimeout(this.#fire, Math.min(ms, LONGEST_MS));
  }
}
