import { withTimeout } from './timeout.js';

const MOST_TRIES = 3;

/** How long one try may take, in milliseconds. */
const PATIENCE_MS = 5_000;

/** Does what an engine fails in now and then for no reason, or never answers, and is as well done again. */
export async function retry<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await withTimeout(act(), PATIENCE_MS);
    } catch (error) {
      // It will not learn it.
      if (tries === MOST_TRIES || (error as Error)?.name === 'NotSupportedError') throw error;
    }
  }
}
