// A client of WebDriver (https://www.w3.org/TR/webdriver2/), as far as it is needed here.

import { PATIENCE_MS } from '../browser/until.mjs';

/** A browser behind its driver. */
export class WebDriver {
  #session;
  /** The window in which the browser started: with the last one a browser closes, and a new one is opened from another. */
  #home;
  /**
   * Commands go to the current window, so that another tab's must not come in between.
   *
   * @type {Promise<any>}
   */
  #turn = Promise.resolve();

  constructor(session, home, version) {
    this.#session = session;
    this.#home = home;
    this.version = version;
  }

  /**
   * @param {string} driver the driver's address
   * @param {object} capabilities of https://www.w3.org/TR/webdriver2/#capabilities
   */
  static async start(driver, capabilities) {
    const { sessionId, capabilities: found } = await command(`${driver}/session`, 'POST', {
      capabilities: { alwaysMatch: capabilities },
    });
    const session = `${driver}/session/${sessionId}`;
    return new WebDriver(session, await command(`${session}/window`, 'GET'), found.browserVersion);
  }

  /** Opens a tab, or a window with one. */
  async open(url, type = 'tab') {
    const { handle } = await this.#inTurn(() => this.#in(this.#home, 'window/new', { type }, 'POST'));
    const tab = new Tab((path, body, method) => this.#inTurn(() => this.#in(handle, path, body, method)));
    await tab.go(url);
    return tab;
  }

  /** Asks the browser to quit: it writes down what it has to. */
  async quit() {
    // WebKitGTK's driver quits from an open window only.
    await this.#inTurn(() => this.#in(this.#home, '', undefined, 'DELETE'));
  }

  async #in(handle, path, body, method) {
    await command(`${this.#session}/window`, 'POST', { handle });
    return command(`${this.#session}${path && `/${path}`}`, method, body);
  }

  #inTurn(action) {
    const done = this.#turn.then(action);
    this.#turn = done.catch(() => {});
    return done;
  }
}

class Tab {
  #command;

  constructor(command) {
    this.#command = command;
  }

  go(url) {
    return this.#command('url', { url }, 'POST');
  }

  reload() {
    return this.#command('refresh', {}, 'POST');
  }

  back() {
    return this.#command('back', {}, 'POST');
  }

  /** Closes the tab as a person does. */
  close() {
    return this.#command('window', undefined, 'DELETE');
  }

  /** What a function gives in the page: it and its arguments are sent as text, and it has to be quick. */
  evaluate(run, ...args) {
    return this.#command('execute/sync', { script: `return (${run})(...arguments)`, args }, 'POST');
  }
}

async function command(url, method, body) {
  const response = await fetch(url, {
    method,
    body: body && JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const { value } = await response.json();
  if (response.ok) return value;
  throw new Error(`${method} ${new URL(url).pathname}: ${value.error}: ${value.message}`);
}
