// Three servers on one PostgreSQL behind a balancer, as `make cluster` runs them, and a real Chromium.

import { after, before } from 'node:test';
import { launchChromium, run, Server, WEB_ROOT } from './harness.mjs';
import { PATIENCE_MS, until } from './until.mjs';

/** The program; `make cluster-browser-tests` has it built, and PostgreSQL and Caddy installed. */
export const CLUSTER = process.env.COUNTERSIGN_CLUSTER_BIN;
// A test's process that is killed cannot end it; told so, it ends what it has started.
const WITH_US = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'TERM'] : [];
const NODES = [1, 2, 3];

/** All of it, called by the balancer's address. */
export class Cluster extends Server {
  static async start() {
    const cluster = new Cluster(run([...WITH_US, CLUSTER ?? 'demo_cluster', '--web-root', WEB_ROOT]));
    await cluster.listening();
    return cluster;
  }

  /** The numbers of the servers that have open requests. */
  async owners() {
    const pending = await Promise.all(NODES.map((number) => this.#pending(number)));
    return NODES.filter((_, index) => pending[index] > 0);
  }

  /** Waits until each of the servers is there. */
  untilAllUp() {
    return until(
      'all servers are up',
      async () => (await Promise.all(NODES.map((number) => this.#pending(number)))).length === NODES.length,
    );
  }

  /** @override */
  async untilPending(count) {
    await until(`${count} requests are pending`, async () => {
      const pending = await Promise.all(NODES.map((number) => this.#pending(number).catch(() => 0)));
      return pending.reduce((sum, one) => sum + one, 0) === count;
    });
  }

  async #pending(number) {
    const response = await fetch(`${this.url}/node/${number}/metrics`);
    const [, count] = (await response.text()).match(/\ncountersign_pending_requests (\d+)\n/) ?? [];
    if (count === undefined) throw new Error(`node ${number}: ${response.status}`);
    return Number(count);
  }
}

/** The world of a file's tests: one browser, and one cluster, which each test begins with all of its servers up. */
export function clusterWorld() {
  const world = {
    /** @type {any} A `Cluster`. */
    server: undefined,
    /** @type {any} A `Browser`. */
    browser: undefined,
    /** @param {import('playwright-core').BrowserContextOptions} [options] */
    async newContext(options) {
      await world.server.untilAllUp();
      const context = await world.browser.newContext(options);
      context.setDefaultTimeout(PATIENCE_MS);
      return context;
    },
  };
  before(async () => {
    if (!CLUSTER) return;
    [world.server, world.browser] = await Promise.all([Cluster.start(), launchChromium()]);
  });
  after(async () => {
    await world.browser?.close();
    await world.server?.stop();
  });
  return world;
}
