import { toHex } from '../bytes.js';
import { element } from '../dom.js';

const BYTES_SHOWN = 96;
const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8, Home: -Infinity, End: Infinity };

/**
 * Bytes as a grid of buttons: pressing one flips its lowest bit. One stop for the Tab key; arrows move between bytes.
 *
 * @param grid     the element to fill
 * @param name     what the bytes are, as in `the signature`
 * @param onFlip   called with the bytes as they now are
 */
export function byteGrid(grid, name, onFlip) {
  let bytes = new Uint8Array();
  let flipped = new Set();

  function flip(index) {
    bytes[index] ^= 1;
    if (flipped.has(index)) flipped.delete(index);
    else flipped.add(index);
    draw(index);
    onFlip();
  }

  function draw(index) {
    const button = grid.children[index];
    const [hex] = toHex(bytes.subarray(index, index + 1));
    button.textContent = hex;
    button.setAttribute('aria-label', `Byte ${index + 1} of ${name}: ${hex}`);
    button.setAttribute('aria-pressed', String(flipped.has(index)));
  }

  function stopAt(index) {
    for (const button of grid.children) button.tabIndex = -1;
    if (grid.children[index]) grid.children[index].tabIndex = 0;
  }

  grid.addEventListener('click', ({ target }) => {
    const index = [...grid.children].indexOf(target);
    if (index < 0 || target.tagName !== 'BUTTON') return;
    stopAt(index);
    flip(index);
  });
  grid.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    const at = [...grid.querySelectorAll('button')].indexOf(document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const to = Math.min(Math.max(at + step, 0), grid.querySelectorAll('button').length - 1);
    stopAt(to);
    grid.children[to].focus();
  });

  return {
    /** Shows these bytes, none of them flipped. */
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
