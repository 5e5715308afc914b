// A test in a browser context of its own, after which nothing may have gone wrong unseen and no request may be left open.

import { test } from 'node:test';
import { Watch } from './watch.mjs';

/**
 * @param {Pick<ReturnType<typeof import('./harness.mjs').world>, 'server' | 'newContext'>} world
 * @param {string} name
 * @param {(given: { context: import('playwright-core').BrowserContext, watch: Watch }) => Promise<void>} body
 * @param {import('playwright-core').BrowserContextOptions & { tolerated?: RegExp[], skip?: string | false }} options of the browser context;
 *   `tolerated`: patterns of console errors the test causes on purpose; `skip`: why it cannot be run here
 */
export function inContext(world, name, body, { tolerated, skip = false, ...options } = {}) {
  test(name, { skip }, async () => {
    const context = await world.newContext(options);
    const watch = new Watch(world.server.url, tolerated);
    try {
      await watch.attach(context);
      await body({ context, watch });
      await world.server.untilIdle();
    } catch (error) {
      // What was said elsewhere is mostly why the page did not show what was waited for.
      if (error instanceof Error) error.message += watch.report() + world.server.report() + (await shown(context));
      throw error;
    } finally {
      await context.close();
    }
    watch.assertClean();
  });
}

/**
 * What the pages show, as assistive technology is told.
 *
 * @param {import('playwright-core').BrowserContext} context
 */
async function shown(context) {
  const main = (page) => page.locator('main, body').first().ariaSnapshot({ timeout: 5_000 });
  const pages = context.pages().map(async (page) => `\n${page.url()}\n${await main(page)}`);
  const told = await Promise.allSettled(pages);
  return told.map((page) => (page.status === 'fulfilled' ? page.value : '')).join('');
}
