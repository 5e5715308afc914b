// What a bundler made, served by the server itself.

import { Server } from '../browser/harness.mjs';
import { STRICTEST, under } from './policies.mjs';
import { pageSigns } from './signing.mjs';

/**
 * Has the wallet of a built page sign, under the strictest policy unless told otherwise.
 *
 * @param {import('../browser/harness.mjs').Browser} browser
 * @param {string} webRoot
 * @param {Parameters<typeof pageSigns>[3]} options
 */
export async function builtSigns(browser, webRoot, { prepare = under(STRICTEST), ...options } = {}) {
  const server = await Server.start({ webRoot });
  try {
    return await pageSigns(server, browser, server.url, { prepare, ...options });
  } finally {
    await server.stop();
  }
}
