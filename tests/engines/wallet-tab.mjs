// A tab with the wallet, in the words of what a person sees and does there.

import { until } from '../browser/until.mjs';

export class WalletTab {
  #tab;
  #isClosed = false;

  constructor(tab) {
    this.#tab = tab;
  }

  /** What the page says of itself. */
  facts() {
    return this.#tab.evaluate(() => ({ ...document.body.dataset }));
  }

  evaluate(run) {
    return this.#tab.evaluate(run);
  }

  /** Waits until the page says this of itself, and gives all that it says. */
  until(name, value) {
    return until(`the page's ${name} is ${value}`, async () => {
      const facts = await this.facts();
      return facts[name] === value && facts;
    });
  }

  connected() {
    return this.until('state', 'connected');
  }

  /** Waits until a person has this to decide, and nothing else. */
  async asks(text) {
    await until(`the wallet asks about ${text}`, async () => {
      const cards = await this.#cards();
      return cards.length === 1 && cards[0].startsWith(text);
    });
  }

  /** Waits until a person has nothing to decide. */
  async asksNothing() {
    await until('the wallet asks nothing', async () => (await this.#cards()).length === 0);
  }

  approve() {
    return this.#press('Approve');
  }

  decline() {
    return this.#press('Decline');
  }

  reload() {
    return this.#tab.reload();
  }

  /** Goes to another page in the same tab, and comes back by the browser's button. */
  async leaveAndComeBack(elsewhere) {
    await this.#tab.go(elsewhere);
    await this.#tab.back();
  }

  async close() {
    if (!this.#isClosed) await this.#tab.close();
    this.#isClosed = true;
  }

  #cards() {
    return this.#tab.evaluate(() => [...document.querySelectorAll('article.request')].map(({ textContent }) => textContent));
  }

  async #press(name) {
    await this.#tab.evaluate((wanted) => {
      const buttons = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('article.request button')]);
      const pressed = buttons.filter(({ textContent }) => textContent === wanted);
      if (pressed.length !== 1) throw new Error(`${pressed.length} buttons say ${wanted}`);
      for (const button of pressed) button.click();
    }, name);
  }
}
