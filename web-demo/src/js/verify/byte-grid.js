import { toHex } from '../bytes.js';
import { element } from '../dom.js';

const BYTES_SHOWN = 96;
/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8, Home: -Infinity, End: Infinity };

/**
 * Bytes as a grid of buttons: pressing one flips its lowest bit. One stop for the Tab key; arrows move between bytes.
 *
 * @param {HTMLElement} grid the element to fill
 * @param {string} name what the bytes are, as in `the signature`
 * @param {() => void} onFlip called when one was flipped
 */
export function byteGrid(grid, name, onFlip) {
  let bytes = new Uint8Array();
  /** @type {Set<number>} */
  let flipped = new Set();

  const buttons = () => [...grid.querySelectorAll('button')];

  /** @param {number} index */
  function flip(index) {
    bytes[index] ^= 1;
    if (flipped.has(index)) flipped.delete(index);
    else flipped.add(index);
    draw(index);
    onFlip();
  }

  /** @param {number} index */
  function draw(index) {
    const button = buttons()[index];
    const [hex] = toHex(bytes.subarray(index, index + 1));
    button.textContent = hex;
    button.setAttribute('aria-label', `Byte ${index + 1} of ${name}: ${hex}`);
    button.setAttribute('aria-pressed', String(flipped.has(index)));
  }

  /** @param {number} index */
  function stopAt(index) {
    buttons().forEach((button, at) => {
      button.tabIndex = at === index ? 0 : -1;
    });
  }

  grid.addEventListener('click', ({ target }) => {
    const index = target instanceof HTMLButtonElement ? buttons().indexOf(target) : -1;
    if (index < 0) return;
    stopAt(index);
    flip(index);
  });
  grid.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    const focused = document.activeElement;
    const at = focused instanceof HTMLButtonElement ? buttons().indexOf(focused) : -1;
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const to = Math.min(Math.max(at + step, 0), buttons().length - 1);
    stopAt(to);
    buttons()[to].focus();
  });

  return {
    /**
     * Shows these bytes, none of them flipped.
     *
     * @param {Uint8Array} given
     */
    show(given) {
      bytes = Uint8Array.from(given);
      flipped = new Set();
      const shown = Math.min(bytes.length, BYTES_SHOWN);
      grid.replaceChildren(
        ...Array.from({ length: shown }, () => {
          const button = element('button', 'byte');
          button.type = 'button';
          return button;
        }),
      );
      for (let index = 0; index < shown; index += 1) draw(index);
      if (bytes.length > shown) grid.append(element('span', 'hint', `and ${bytes.length - shown} more`));
      stopAt(0);
    },
    bytes: () => bytes,
    /** How many are not as they were given. */
    flips: () => flipped.size,
  };
}
