// Starts the real server and a real Chromium, and ends both.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { PATIENCE_MS, until } from './until.mjs';

const ROOT = new URL('../../', import.meta.url);
/** @param {string} path */
export const inRepository = (path) => fileURLToPath(new URL(path, ROOT));

const BINARY = process.env.COUNTERSIGN_BIN ?? inRepository('target/debug/countersign');
// A test's process that is killed, as by the runner when its time is up, cannot end its servers.
const WITH_US = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL'] : [];
export const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
export const CHROMIUM_FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * @typedef {import('playwright-core').Browser} Browser
 * @typedef {import('playwright-core').BrowserContext} BrowserContext
 * @typedef {import('playwright-core').BrowserContextOptions} BrowserContextOptions
 */

/** The page as it is served. */
export const WEB_ROOT = inRepository('web-demo/dist');

/** A running `countersign`. */
export class Server {
  #process;
  #log = '';
  url = '';
  port = 0;

  constructor(process) {
    this.#process = process;
    process.stderr.on('data', (chunk) => {
      this.#log += chunk;
    });
  }

  /**
   * Starts one and waits until it listens.
   *
   * @param {{ port?: number, webRoot?: string, args?: string[] }} options `port` 0 has the system choose; `args` are further arguments
   */
  static async start({ port = 0, webRoot = WEB_ROOT, args = [] } = {}) {
    const server = new Server(run([...WITH_US, BINARY, '--listen', `127.0.0.1:${port}`, '--web-root', webRoot, ...args]));
    await server.listening();
    return server;
  }

  /** Waits until it says where it listens. */
  async listening() {
    const { stdout } = this.#process;
    const url = await Promise.race([addressFrom(stdout), once(this.#process, 'error').then(([error]) => Promise.reject(error))]);
    if (!url) throw new Error(`${this.#process.spawnargs.join(' ')} did not start`, { cause: this.report() });
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  /** Whether it has ended, and the last it logged, as an addition to an error. */
  report() {
    const { exitCode, signalCode } = this.#process;
    const ended = exitCode ?? signalCode;
    return `${ended === null ? '' : `\n  the server ended: ${ended}`}${this.#log
      .split('\n')
      .slice(-6)
      .map((line) => `\n  ${line}`)
      .join('')}`;
  }

  /** Ends it and waits until it is gone. */
  async stop(signal = 'SIGTERM') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill(signal);
    await gone;
  }

  /**
   * Calls the API as a backend would.
   *
   * @param {object} body
   * @param {{ headers?: Record<string, string>, signal?: AbortSignal }} options
   */
  async sendToSign(body, { headers = {}, signal } = {}) {
    const response = await fetch(`${this.url}/v1/send_to_sign`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
    return { status: response.status, body: await response.json() };
  }

  /** How a durable request stands, when it has ended or the time is up. */
  async request(id, { waitSeconds = 0 } = {}) {
    return (await fetch(`${this.url}/v1/requests/${id}?wait=${waitSeconds}`)).json();
  }

  /** How many connections a key has. */
  async connections(publicKey) {
    const response = await fetch(`${this.url}/v1/signers/${encodeURIComponent(publicKey)}`);
    return (await response.json()).connections;
  }

  /** Waits until a key has so many connections: a page that is gone is not yet one that the server has seen go. */
  async untilConnections(publicKey, count) {
    await until(`${count} connections of the key`, async () => (await this.connections(publicKey)) === count);
  }

  /** Waits until no request is open: none may be left behind. */
  untilIdle() {
    return this.untilPending(0);
  }

  /** Waits until so many requests are open. */
  async untilPending(count) {
    await until(`${count} requests are pending`, async () => {
      const metrics = await (await fetch(`${this.url}/metrics`)).text();
      return metrics.includes(`\ncountersign_pending_requests ${count}\n`);
    });
  }
}

/** @param {string[]} command */
export const run = ([program, ...args]) => spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** The address that a starting server names on its standard output; null if it ends without one. */
async function addressFrom(stdout) {
  for await (const line of createInterface({ input: stdout })) {
    const url = line.match(/^listening on (https?:\/\/\S+)/)?.[1];
    if (url) return url;
  }
  return null;
}

/** A directory that is not there yet, and goes with `remove()`. */
export function withDirectory() {
  const parent = mkdtempSync(join(tmpdir(), 'countersign-'));
  return { path: join(parent, 'data'), remove: () => rmSync(parent, { recursive: true, force: true }) };
}

/** A real Chromium. */
export const launchChromium = (...flags) => chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS, ...flags] });

/** A real Chromium with a profile, which extensions need. */
export const launchProfile = (...flags) =>
  chromium.launchPersistentContext('', { executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS, ...flags] });

/**
 * A browser for all tests of a file, and for each of them a server of its own, which knows nothing of the test before: whatever that
 * one left open is gone with its server and its browser contexts, above all when it failed.
 */
class World {
  /** @type {any} A `Server`, from the beginning of each test. */
  server;
  /** @type {any} A `Browser`, likewise. */
  browser;
  #options;
  /** @type {ReturnType<typeof withDirectory> | null} */
  #store = null;

  constructor(options) {
    this.#options = options;
  }

  async begin() {
    if (this.#options.store) this.#store = withDirectory();
    if (!this.browser?.isConnected()) this.browser = await launchChromium();
    this.server = await this.#start(0);
  }

  /** Kills what a test may have left waiting: a server that is asked to stop would wait for it too. */
  async end() {
    try {
      await Promise.all(this.browser?.contexts().map((context) => context.close()) ?? []);
    } finally {
      await this.server?.stop('SIGKILL');
      this.#store?.remove();
    }
  }

  /** Starts a server where the last one was, on what it had written. Another process may have been given its port meanwhile. */
  async restart() {
    const { port } = this.server;
    this.server = await until('the server is back', () => this.#start(port));
  }

  /**
   * @param {BrowserContextOptions} [options]
   * @returns {Promise<BrowserContext>}
   */
  async newContext(options) {
    const context = await this.browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
  }

  #start(port) {
    const { args = [], webRoot } = this.#options;
    return Server.start({ webRoot, port, args: this.#store ? [...args, '--data-dir', this.#store.path] : args });
  }
}

/**
 * The world of a file's tests.
 *
 * @param {{ webRoot?: string, args?: string[], store?: boolean }} options of the servers; with `store` they write requests down
 */
export function world(options = {}) {
  const world = new World(options);
  beforeEach(() => world.begin());
  afterEach(() => world.end());
  after(() => world.browser?.close());
  return world;
}
