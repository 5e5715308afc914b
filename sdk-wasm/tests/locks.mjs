/** Web Locks as far as the package uses them, for one process. */
export class FakeLocks {
  /** @type {Map<string, { run(): void }[]>} */
  #queues = new Map();

  /**
   * @param {string} name
   * @param {{ ifAvailable?: boolean, signal?: AbortSignal }} options
   * @param {(lock: object | null) => Promise<void> | undefined} callback
   */
  async request(name, { ifAvailable = false, signal }, callback) {
    signal?.throwIfAborted();
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    if (ifAvailable && queue.length > 0) return callback(null);
    const turn = { run: () => {} };
    /** @type {Promise<void>} */
    const ready = new Promise((resolve) => (turn.run = resolve));
    queue.push(turn);
    if (queue[0] === turn) turn.run();
    const leave = () => {
      queue.splice(queue.indexOf(turn), 1);
      queue[0]?.run();
    };
    try {
      await Promise.race([ready, new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))]);
      return await callback({ name });
    } finally {
      leave();
    }
  }
}
