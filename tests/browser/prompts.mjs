// What a human saw: every card that asks for a decision, over all tabs and reloads of a browser context.

export class Prompts {
  #seen = [];

  /** Counts from now on, in every page of the context. */
  async attach(context) {
    await context.exposeFunction('__prompted', (prompt) => this.saw(prompt));
    await context.addInitScript(watchCards);
  }

  /** Counts one that was told in another way. */
  saw(prompt) {
    this.#seen.push(prompt);
  }

  /** `new` or `resumed` for each prompt, in order; only those that asked for this request, if it is given. */
  seen(requestId) {
    return this.#seen
      .filter(({ ids }) => requestId === undefined || ids.includes(requestId))
      .map(({ resumed }) => (resumed ? 'resumed' : 'new'));
  }

  /** The ids of all requests that were asked about. */
  ids() {
    return [...new Set(this.#seen.flatMap(({ ids }) => ids))];
  }
}

/** Runs in the page: tells `window.__prompted` of cards, and counts the clicks that they did not take. A card in a hidden part of it asks nobody. */
export function watchCards() {
  window.__prompts = 0;
  window.__untaken = 0;
  document.addEventListener(
    'click',
    ({ target }) => {
      if (target instanceof Element && target.closest('[aria-disabled=true]')) window.__untaken += 1;
    },
    { capture: true },
  );
  new MutationObserver((changes) => {
    for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (!(node instanceof Element)) continue;
      for (const card of /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll('article.request'))) {
        if (!card.checkVisibility()) continue;
        window.__prompts += 1;
        const parts = /** @type {NodeListOf<HTMLElement>} */ (card.querySelectorAll('[data-request-id]'));
        const own = card.dataset.requestId ? [card] : [...parts];
        window.__prompted({ ids: own.map(({ dataset }) => dataset.requestId), resumed: card.dataset.resumed === 'true' });
      }
    }
  }).observe(document, { childList: true, subtree: true });
}
