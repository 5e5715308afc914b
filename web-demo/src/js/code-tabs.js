const ITEM = 'countersign-demo-language';
const STEPS = new Map([
  ['ArrowRight', 1],
  ['ArrowLeft', -1],
  ['Home', -Infinity],
  ['End', Infinity],
]);

/**
 * The lists of tabs that show the same in several languages (the tabs pattern of the ARIA Authoring Practices, chosen with the focus). Who has
 * chosen a language sees it everywhere it is offered, at the next visit too.
 */
export function codeTabs() {
  const lists = [...document.querySelectorAll('[role=tablist]')].map((list) => tabList(list, choose));

  /** @param {string} language */
  function choose(language) {
    for (const list of lists) list.show(language);
    remember(language);
  }

  const chosen = recall();
  if (chosen) for (const list of lists) list.show(chosen);
}

/**
 * @param {Element} list
 * @param {(language: string) => void} onChoose
 */
function tabList(list, onChoose) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role=tab]')]);

  list.addEventListener('click', ({ target }) => {
    const tab = target instanceof Element && target.closest('[role=tab]');
    if (tab instanceof HTMLElement) onChoose(tab.dataset.language ?? '');
  });
  list.addEventListener('keydown', (event) => {
    const step = event instanceof KeyboardEvent ? STEPS.get(event.key) : undefined;
    const at = tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (step === undefined || at < 0) return;
    event.preventDefault();
    // Round at the ends, as the pattern has it.
    const to = Number.isFinite(step) ? (at + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    tabs[to].focus();
    onChoose(tabs[to].dataset.language ?? '');
  });

  return {
    /**
     * Shows this language, if it is one of these.
     *
     * @param {string} language
     */
    show(language) {
      if (!tabs.some((tab) => tab.dataset.language === language)) return;
      for (const tab of tabs) {
        const isShown = tab.dataset.language === language;
        tab.setAttribute('aria-selected', String(isShown));
        tab.tabIndex = isShown ? 0 : -1;
        const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '');
        if (panel) panel.hidden = !isShown;
      }
    },
  };
}

function recall() {
  try {
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

/** @param {string} language */
function remember(language) {
  try {
    localStorage.setItem(ITEM, language);
  } catch {
    // Storage may be blocked; the choice then holds until the page is closed.
  }
}
