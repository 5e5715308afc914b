/** Web Locks as far as the package uses them, for one process. */
export class FakeLocks {
  /** @type {Map<string, { run(): void, lose(error: Error): void }[]>} */
  #queues = new Map();

  /**
   * @param {string} name
   * @param {{ ifAvailable?: boolean, steal?: boolean, signal?: AbortSignal }} options
   * @param {(lock: object | null) => Promise<void> | undefined} callback
   */
  async request(name, { ifAvailable = false, steal = false, signal }, callback) {
    signal?.throwIfAborted();
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    if (ifAvailable && queue.length > 0) return callback(null);
    const turn = { run: () => {}, lose: (_) => {} };
    /** @type {Promise<void>} */
    const ready = new Promise((resolve) => (turn.run = resolve));
    /** @type {Promise<never>} */
    const lost = new Promise((_, reject) => (turn.lose = reject));
    lost.catch(() => {});
    if (steal) queue.splice(0, 1)[0]?.lose(new DOMException('stolen', 'AbortError'));
    if (steal) queue.unshift(turn);
    else queue.push(turn);
    if (queue[0] === turn) turn.run();
    const leave = () => {
      if (!queue.includes(turn)) return;
      queue.splice(queue.indexOf(turn), 1);
      queue[0]?.run();
    };
    try {
      await Promise.race([ready, new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))]);
      return await Promise.race([callback({ name }), lost]);
    } finally {
      leave();
    }
  }
}

/** What tabs of one browser have in common; `sight` says which of them somebody sees. */
export function fakeTabs(sight = {}) {
  return { locks: new FakeLocks(), Channel: BroadcastChannel, isVisible: () => true, isFocused: () => false, ...sight };
}
