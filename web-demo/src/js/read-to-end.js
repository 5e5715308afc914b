import { whenFullySeen } from './visibility.js';

// Some of what was on the screen stays on it, so that nobody loses their place.
const STEP = 0.8;

/**
 * Has a message read to its end before anything can come of it. What does not fit is scrolled: by hand, by the keys of whoever stands in it, or by
 * the button, which is there as long as something is left.
 *
 * @param {Parts} parts message, more
 * @param {() => void} onSeen called once, when the whole message was seen
 */
export function readToEnd(parts, onSeen) {
  const { message, more } = parts;
  // Whether something is left is known when it was laid out; what fits never shows the button.
  const overflow = new ResizeObserver(() => {
    more.hidden = message.scrollHeight <= message.clientHeight;
  });
  overflow.observe(message);
  more.addEventListener('click', () => {
    // Whoever is at its end has the rest above: it was scrolled, or the page was, before it could be seen.
    const isAtEnd = message.scrollTop + message.clientHeight > message.scrollHeight - 1;
    message.scrollBy({ top: isAtEnd ? -message.scrollTop : message.clientHeight * STEP });
    message.scrollIntoView({ block: 'nearest' });
  });
  whenFullySeen(message, () => {
    overflow.disconnect();
    // The next press of the same key must not reach what comes after it.
    if (document.activeElement === more) message.focus();
    more.hidden = true;
    onSeen();
  });
}
