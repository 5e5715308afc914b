import { byId } from './dom.js';

/**
 * Has a screen reader say `text` when it is done with what it is saying.
 *
 * @param {string} text
 */
export function announce(text) {
  byId('announcer').textContent = text;
}
