import { timeLeft } from './format.js';

const HURRY_MS = 10_000;

/**
 * Counts a request's time down in `parts` (countdown, left, ring) until `stop` is called. Ticks at whole seconds left,
 * so that what is shown is true at every moment and a hidden tab costs nothing to catch up.
 *
 * @param {{ readonly remainingMs: number }} request
 * @param {Parts} parts
 * @returns {() => void} stop
 */
export function countdown(request, parts) {
  const total = Math.max(1, request.remainingMs);
  let timer = 0;
  const tick = () => {
    const left = request.remainingMs;
    parts.left.textContent = timeLeft(left);
    parts.ring.setAttribute('stroke-dashoffset', String(100 - Math.min(100, (100 * left) / total)));
    parts.countdown.classList.toggle('hurry', left <= HURRY_MS);
    if (left > 0) timer = setTimeout(tick, left % 1000 || 1000);
  };
  tick();
  return () => clearTimeout(timer);
}
