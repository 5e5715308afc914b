import { toHex, toText } from './bytes.js';
import { element } from './dom.js';
import { byteCount } from './format.js';
import { honestRuns } from './honest-text.js';

const EXCERPT_CHARACTERS = 80;

/** Shows `bytes` in `target`: readable text as text with what hides in it named, everything else as hex. */
export function showMessage(target, bytes) {
  const text = toText(bytes);
  target.classList.toggle('hex', text === null);
  target.replaceChildren(...(text === null ? hexNodes(bytes) : textNodes(text)));
}

/** Whether a person can read it. */
export const isReadable = (bytes) => toText(bytes) !== null;

/** `74 bytes of text`, `32 bytes, shown as hex`. */
export const describe = (bytes) => (isReadable(bytes) ? `${byteCount(bytes.length)} of text` : `${byteCount(bytes.length)}, shown as hex`);

/** The beginning of a message on one line. */
export function excerpt(bytes) {
  const text = toText(bytes.subarray(0, EXCERPT_CHARACTERS * 4)) ?? toText(bytes);
  if (text === null) return toHex(bytes.subarray(0, EXCERPT_CHARACTERS / 4)).join(' ');
  const line = honestRuns(text).map((run) => run.text ?? run.named).join('').replace(/\s+/g, ' ').trim();
  return [...line].slice(0, EXCERPT_CHARACTERS).join('');
}

function textNodes(text) {
  return honestRuns(text).map((run) => (run.named ? element('span', 'named', run.named) : document.createTextNode(run.text)));
}

function hexNodes(bytes) {
  return [document.createTextNode(toHex(bytes).join(' '))];
}
