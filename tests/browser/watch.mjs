// What must not happen behind the back of any test: a violated policy, an error on the console, a request elsewhere.

import assert from 'node:assert/strict';

const API = /^\/(v1\/|\.well-known\/|demo$)/;

/** Watches every page of a browser context, from before its first byte. */
export class Watch {
  #problems = [];
  #tolerated;
  #origin;

  /**
   * @param origin      the only origin the pages may talk to
   * @param tolerated   patterns of console errors the test causes on purpose
   */
  constructor(origin, tolerated = []) {
    this.#origin = origin;
    this.#tolerated = tolerated;
  }

  async attach(context) {
    await context.exposeFunction('__violation', (text) => this.#problems.push(`policy violated: ${text}`));
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        window.__violation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    context.on('request', (request) => this.#request(request.url()));
    context.on('response', (response) => this.#response(response));
    context.on('weberror', (error) => this.#problems.push(`uncaught: ${error.error()}`));
    context.on('console', (message) => this.#console(message));
    context.on('page', (page) => page.on('websocket', (socket) => this.#request(socket.url().replace(/^ws/, 'http'))));
  }

  assertClean() {
    assert.deepEqual(this.#problems, []);
  }

  /** What was seen, as an addition to another error. */
  report() {
    return this.#problems.map((problem) => `\n  ${problem}`).join('');
  }

  #request(url) {
    if (url.startsWith('data:') || new URL(url).origin === this.#origin) return;
    this.#problems.push(`request elsewhere: ${url}`);
  }

  #response(response) {
    if (!response.request().isNavigationRequest()) return;
    const policy = response.headers()['content-security-policy'] ?? '';
    for (const part of ["default-src 'none'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"]) {
      if (!policy.includes(part)) this.#problems.push(`no ${part} in the policy of ${response.url()}`);
    }
  }

  #console(message) {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    // The browser reports every answer of the API that is no signature; the page shows them, which is what they are for.
    const answered = /^Failed to load resource: the server responded/.test(message.text());
    if (answered && API.test(new URL(message.location().url).pathname)) return;
    if (this.#tolerated.some((pattern) => pattern.test(message.text()))) return;
    this.#problems.push(`console ${message.type()}: ${message.text()}`);
  }
}
