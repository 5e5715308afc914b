// The site of somebody's wallet, and what its visitors saw there.

import { readdirSync, readFileSync } from 'node:fs';
import { withoutEd25519 } from '../browser/keys-page.mjs';
import { Prompts, watchCards } from '../browser/prompts.mjs';
import { until } from '../browser/until.mjs';
import { serve } from '../sdk-bench/serve.mjs';

/** What is packed. */
const PACKAGE = new URL('../../sdk-wasm/dist/', import.meta.url);
const html = (...scripts) => `<!doctype html><link rel="icon" href="data:,"><title>wallet</title><body>${scripts.join('')}
  <script type="module" src="witness.js"></script><script type="module" src="main.js"></script>`;
// One after the other, so that what is told last says that all before has arrived.
const WITNESS = `let told = Promise.resolve();
  window.__prompted = (prompt) => {
    told = told.then(() => fetch('/witness', { method: 'POST', body: JSON.stringify(prompt), keepalive: true }));
  };
  (${watchCards})();`;

/** @type {Map<string, string | Buffer>} */
const FILES = new Map();
FILES.set('/index.html', html());
FILES.set('/without-ed25519.html', html(`<script>(${withoutEd25519})()</script>`));
FILES.set('/elsewhere.html', '<!doctype html><link rel="icon" href="data:,"><title>another page</title>');
FILES.set('/witness.js', WITNESS);
FILES.set('/main.js', readFileSync(new URL('page/main.js', import.meta.url)));
for (const name of readdirSync(PACKAGE).filter((name) => /\.(js|wasm)$/.test(name))) {
  FILES.set(`/countersign/${name}`, readFileSync(new URL(name, PACKAGE)));
}

/** The page at an address of its own, for which a browser has nothing in store. */
export class Site {
  /** What humans saw. */
  prompts = new Prompts();
  #server;
  #allTold = 0;

  static async open() {
    const site = new Site();
    site.#server = await serve(FILES, (body) => site.#hear(JSON.parse(body)));
    return site;
  }

  get url() {
    return this.#server.url;
  }

  /** Waits until all that this tab has shown so far is counted. */
  async untilTold(tab) {
    const before = this.#allTold;
    await tab.evaluate(() => window.__prompted({ ids: [], resumed: false }));
    await until('the page has told all', () => this.#allTold > before);
  }

  close() {
    return this.#server.close();
  }

  #hear(prompt) {
    if (prompt.ids.length > 0) this.prompts.saw(prompt);
    else this.#allTold += 1;
  }
}
