// A browser for many cases: each has a site of its own, of which the browser knows nothing.

import { mkdirSync } from 'node:fs';
import { withDirectory } from '../browser/harness.mjs';

export class SharedBrowser {
  #engine;
  /** @type {any} */
  #running = null;
  /** @type {ReturnType<typeof withDirectory> | null} */
  #profile = null;

  /** @param {typeof import('./engines.mjs').ENGINES[number]} engine */
  constructor(engine) {
    this.#engine = engine;
  }

  /** Starts it, unless it runs. */
  async running() {
    if (this.#running === null) {
      this.#profile = withDirectory();
      mkdirSync(this.#profile.path);
      this.#running = await this.#engine.start(this.#profile.path);
    }
    return this.#running;
  }

  async kill() {
    await this.#running?.kill();
    this.#profile?.remove();
    this.#running = this.#profile = null;
  }
}
