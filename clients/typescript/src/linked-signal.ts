// Signals that end with others. AbortSignal.any() keeps listening to a signal that lives long; a linked signal lets go of it.

/** A signal that is aborted with any of others, until it is released. */
export class LinkedSignal {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  readonly #listener = (event: Event) => this.abort((event.target as AbortSignal).reason);

  constructor(...sources: (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) {
      if (source.aborted) this.abort(source.reason);
      source.addEventListener('abort', this.#listener, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  release(): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#listener);
  }
}

/** What `work` comes to, or the reason of a signal that is aborted first; `work` then goes on unheard. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}
