// A client of WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/), which Firefox speaks without a driver.

import { once } from 'node:events';
import WebSocket from 'ws';
import { PATIENCE_MS } from '../browser/until.mjs';

/** A browser that is told what to do over a WebSocket. */
export class BiDi {
  #socket;
  #last = 0;
  /** @type {Map<number, { resolve(result: any): void, reject(error: Error): void, timer: NodeJS.Timeout }>} */
  #waiting = new Map();
  version = '';

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (text) => this.#handle(JSON.parse(text)));
    socket.on('close', () => {
      for (const { reject, timer } of this.#waiting.values()) {
        clearTimeout(timer);
        reject(new Error('the browser is gone'));
      }
      this.#waiting.clear();
    });
  }

  /** @param {string} url as the browser names it when it starts */
  static async start(url) {
    const socket = new WebSocket(`${url}/session`);
    await once(socket, 'open');
    const browser = new BiDi(socket);
    const { capabilities } = await browser.command('session.new', { capabilities: {} });
    browser.version = capabilities.browserVersion;
    return browser;
  }

  /** Opens a tab, or a window with one. The first, in which the browser started, stays: with the last one a browser closes too. */
  async open(url, type = 'tab') {
    const { context } = await this.command('browsingContext.create', { type });
    const tab = new Tab(this, context);
    await tab.go(url);
    return tab;
  }

  /** Asks the browser to quit: it writes down what it has to. */
  async quit() {
    const gone = once(this.#socket, 'close');
    await this.command('browser.close', {});
    await gone;
  }

  command(method, params) {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) return reject(new Error('the browser is gone'));
      const timer = setTimeout(() => reject(new Error(`${method} was not answered`)), PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #handle({ type, id, result, error, message }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    if (type === 'success') waiting?.resolve(result);
    else waiting?.reject(new Error(`${error}: ${message}`));
  }
}

class Tab {
  #browser;
  #context;

  constructor(browser, context) {
    this.#browser = browser;
    this.#context = context;
  }

  go(url) {
    return this.#command('browsingContext.navigate', { url, wait: 'complete' });
  }

  reload() {
    return this.#command('browsingContext.reload', { wait: 'complete' });
  }

  back() {
    return this.#command('browsingContext.traverseHistory', { delta: -1 });
  }

  /** Closes the tab as a person does. */
  close() {
    return this.#command('browsingContext.close', {});
  }

  /** What a function gives in the page: it and its arguments are sent as text. */
  async evaluate(run, ...args) {
    const { type, result, exceptionDetails } = await this.#browser.command('script.evaluate', {
      expression: `JSON.stringify((${run})(...${JSON.stringify(args)}))`,
      target: { context: this.#context },
      awaitPromise: false,
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return result.type === 'undefined' ? null : JSON.parse(result.value);
  }

  #command(method, params) {
    return this.#browser.command(method, { context: this.#context, ...params });
  }
}
