/**
 * A long text in pieces that an eye can hold. Never shortened: whoever makes one to deceive makes its ends alike.
 *
 * @param {string} text
 * @param {number} size in characters
 */
export const groupsOf = (text, size) => text.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];

/**
 * `1 byte`, `2,048 bytes`.
 *
 * @param {number} n
 */
export const byteCount = (n) => (n === 1 ? '1 byte' : `${n.toLocaleString('en')} bytes`);

/**
 * Time left for a countdown: `0:09`, `12:30`, `5:00:00`, `6 d 23 h`. Part of a second counts as a whole one.
 *
 * @param {number} ms
 */
export function timeLeft(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  /** @param {number} n */
  const two = (n) => String(n).padStart(2, '0');
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

/**
 * How long something took: `180 ms`, `2.4 s`.
 *
 * @param {number} ms
 */
export const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/**
 * How long after the beginning: `+12 ms`, `+2.4 s`, `+12:30`.
 *
 * @param {number} ms
 */
export const elapsed = (ms) => `+${ms < 60_000 ? duration(ms) : timeLeft(ms)}`;

/**
 * What was written for logs as prose: a capital at the start unless it is a name like `a.wasm`, a full stop at the end.
 *
 * @param {string} text
 */
export function sentence(text) {
  const capital = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/**
 * Time of day in the reader's own custom.
 *
 * @param {Date} date
 */
export const timeOfDay = (date) => date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

/**
 * Time of day where there is little room.
 *
 * @param {Date} date
 */
export const shortTime = (date) => date.toLocaleTimeString([], CLOCK);

/**
 * Time of day to the millisecond, for what follows quickly upon each other.
 *
 * @param {Date} date
 */
export const preciseTime = (date) => date.toLocaleTimeString([], { ...CLOCK, fractionalSecondDigits: 3 });
