// What a case runs on: a server, the proxy in front of it, a site, and browsers with tabs of that site.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Server, withDirectory } from '../browser/harness.mjs';
import { until } from '../browser/until.mjs';
import { durableRequest, waitingRequest } from './backend-request.mjs';
import { Site } from './site.mjs';
import { TcpProxy } from './tcp-proxy.mjs';
import { WalletTab } from './wallet-tab.mjs';

export class Fixture {
  #engine;
  #shared;
  #directory = withDirectory();
  #browsers = new Set();
  /** @type {Set<WalletTab>} */
  #tabs = new Set();
  #profiles = 0;
  /** @type {any} */
  #site;
  /** @type {any} A {@link TcpProxy}. */
  proxy;
  /** @type {any} A {@link Server}. */
  server;

  constructor(engine, shared) {
    this.#engine = engine;
    this.#shared = shared;
  }

  /**
   * Runs a case, and ends all that it has started, whatever becomes of it: gives how requests ended and what humans saw.
   *
   * @param {typeof import('./engines.mjs').ENGINES[number]} engine
   * @param {import('./shared-browser.mjs').SharedBrowser} shared
   * @param {(fixture: Fixture) => Promise<string>} body
   */
  static async run(engine, shared, body) {
    const fixture = new Fixture(engine, shared);
    try {
      mkdirSync(fixture.#directory.path);
      fixture.proxy = await TcpProxy.open();
      fixture.#site = await Site.open();
      await fixture.startServer();
      const end = await body(fixture);
      await fixture.server.untilIdle();
      for (const tab of fixture.#tabs) await tab.close();
      // Of two tabs the later may be the first to be heard.
      return { end, prompts: fixture.#site.prompts.seen().sort() };
    } catch (error) {
      if (error instanceof Error) error.message += await fixture.#report();
      // Who knows in which state it is.
      await shared.kill();
      throw error;
    } finally {
      await fixture.#close();
    }
  }

  /** A profile of its own: another device. */
  newProfile() {
    this.#profiles += 1;
    const profile = join(this.#directory.path, `profile-${this.#profiles}`);
    mkdirSync(profile);
    return profile;
  }

  /** Starts a browser. */
  async browser(profile = this.newProfile()) {
    const browser = await this.#engine.start(profile);
    this.#browsers.add(browser);
    return browser;
  }

  /**
   * Opens the wallet.
   *
   * @typedef {object} Options
   * @property {{ open(url: string, type?: string): Promise<any> }} [browser] one that other cases use too, unless given
   * @property {'tab' | 'window'} [type]
   * @property {string} [page] which page of the site
   * @property {number[]} [seed] of the wallet's key; the one that the browser keeps, unless given
   *
   * @param {Options} [options]
   */
  async open({ browser, type, page = 'index', seed } = {}) {
    const settings = new URLSearchParams({ url: this.proxy.url, ...(seed && { seed: seed.join() }) });
    const url = `${this.#site.url}/${page}.html#${settings}`;
    if (browser !== undefined) return new WalletTab(await browser.open(url, type));
    const tab = new WalletTab(await (await this.#shared.running()).open(url, type));
    this.#tabs.add(tab);
    return tab;
  }

  /**
   * Opens it, and waits until the wallet is connected.
   *
   * @param {Options} [options]
   */
  async wallet(options) {
    const tab = await this.open(options);
    const { publicKey, storage } = await tab.connected();
    return { tab, publicKey, storage };
  }

  /** Another page of the site. */
  get elsewhere() {
    return `${this.#site.url}/elsewhere.html`;
  }

  /** Has a backend ask and wait. */
  ask(publicKey, text) {
    return waitingRequest(this.server, publicKey, text);
  }

  /** Has a backend ask, to look at it later. */
  askDurably(publicKey, text) {
    return durableRequest(this, publicKey, text);
  }

  /** Waits until all is counted that this tab has shown. */
  untilTold(tab) {
    return this.#site.untilTold(tab);
  }

  async startServer() {
    const args = ['--data-dir', join(this.#directory.path, 'server'), '--audience', this.proxy.url];
    this.server = await until('the server starts', () => Server.start({ args, webRoot: this.#directory.path }));
    this.proxy.leadTo(this.server.port);
  }

  /** What wallets and server say, as an addition to an error. */
  async #report() {
    const facts = await Promise.all([...this.#tabs].map((tab) => tab.facts().catch(String)));
    return `${facts.map((told) => `\n  ${JSON.stringify(told)}`).join('')}${this.server?.report() ?? ''}`;
  }

  async #close() {
    await Promise.all([...this.#browsers].map((browser) => browser.kill()));
    await this.server?.stop('SIGKILL');
    await Promise.all([this.proxy?.close(), this.#site?.close()]);
    this.#directory.remove();
  }
}
