type Listener<T> = (event: T) => unknown;

/**
 * Listeners by event name. What a listener throws is reported like any uncaught error and stops neither the others nor the wallet. Where the
 * promise it gives is rejected, `failed` is told, which reports that too unless given.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();
  readonly #failed: (error: unknown, name: keyof Events) => void;

  constructor(failed: (error: unknown, name: keyof Events) => void = report) {
    this.#failed = failed;
  }

  /** Adds a listener; the function returned removes it. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // Wrapped, so that a function added twice is two listeners, each with its own removal.
    const own: Listener<Events[Name]> = (event) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as Listener<Events[Name]>[]) {
      try {
        const result = listener(event);
        if (isThenable(result)) result.then(undefined, (error: unknown) => this.#failed(error, name));
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Of whatever realm or library. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

/** As the platform reports what nobody caught. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}
