import { byId, partsOf } from './dom.js';

const CONFIRM_MS = 1600;

/**
 * Has the button `copy-<id>` copy what the element of that id shows.
 *
 * @param {string} id
 */
export function copyShown(id) {
  const source = byId(id);
  copyButton(byId(`copy-${id}`), () => source.textContent ?? '', source);
}

/**
 * Has `button` copy what `text()` gives; where the browser forbids it, `source` is selected for the reader to copy.
 *
 * @param {HTMLElement} button
 * @param {() => string} text
 * @param {HTMLElement} source
 */
export function copyButton(button, text, source) {
  const { label } = partsOf(button);
  let timer = 0;
  /** @param {string} word */
  const say = (word) => {
    label.textContent = word;
    clearTimeout(timer);
    timer = setTimeout(() => {
      label.textContent = 'Copy';
    }, CONFIRM_MS);
  };
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      say('Copied');
    } catch {
      getSelection()?.selectAllChildren(source);
      say('Selected');
    }
  });
}
