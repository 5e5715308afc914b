import { element, grouped, icon } from './dom.js';
import { byteCount, groupsOf } from './format.js';
import { describe, digest } from './sdk.js';

const EXCERPT_CHARACTERS = 80;
/** Four bytes of a digest in hexadecimal. */
const DIGEST_GROUP = 8;
const UNREADABLE = 'Not readable text. Approve only if you expect exactly these bytes.';
/** @type {Record<import('countersign').MessageKind, (size: string) => string>} */
const SIZES = {
  text: (size) => `${size} of text`,
  json: (size) => `${size} of JSON`,
  binary: (size) => `${size}, shown as hex`,
  blind: (size) => `${size}, shown as hex`,
};

/**
 * Shows a message as a person should see it before they sign: what hides in it named, what should make them think beside it.
 *
 * @param {Parts} parts message, size, warnings, digest
 * @param {Uint8Array} bytes
 */
export function showMessage(parts, bytes) {
  const { kind, segments, warnings } = describe(bytes);
  const isHex = kind === 'binary' || (kind === 'blind' && segments.length === 1);
  parts.size.textContent = SIZES[kind](byteCount(bytes.length));
  parts.message.classList.toggle('hex', isHex);
  parts.message.replaceChildren(
    ...segments.map(({ text, hidden }) => (hidden ? element('span', 'named', text) : document.createTextNode(text))),
  );
  const told = kind === 'binary' ? [UNREADABLE] : warnings.map(({ message }) => message);
  parts.warnings.replaceChildren(...told.map(warning));
  parts.digest.hidden = !isHex;
  if (isHex)
    digest(bytes).then(
      (hex) => {
        parts.digest.replaceChildren('SHA-256 ', grouped(groupsOf(hex, DIGEST_GROUP)));
      },
      () => {
        parts.digest.hidden = true;
      },
    );
}

/**
 * The beginning of a message on one line.
 *
 * @param {Uint8Array} bytes
 */
export function excerpt(bytes) {
  return [...describe(bytes).text.replace(/\s+/g, ' ').trim()].slice(0, EXCERPT_CHARACTERS).join('');
}

/** @param {string} text */
function warning(text) {
  const item = element('p', 'warning');
  item.append(icon('alert'), element('span', '', text));
  return item;
}
