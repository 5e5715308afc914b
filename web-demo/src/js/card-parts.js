/**
 * Shows who asks, and why.
 *
 * @param {Parts} parts
 * @param {{ requester: { name: string }, purpose?: string | undefined }} asked
 */
export function showRequester(parts, { requester, purpose }) {
  parts.requester.textContent = requester.name;
  parts.monogram.textContent = [...requester.name][0].toUpperCase();
  parts.claim.hidden = !purpose;
  parts.purpose.textContent = purpose ?? '';
}

/**
 * Shows how a request, or several, stand.
 *
 * @param {Parts} parts
 * @param {RequestOutcome} outcome
 */
export function showOutcome(parts, outcome) {
  parts.outcome.hidden = false;
  parts.outcome.dataset.tone = outcome.tone;
  parts.sentence.textContent = outcome.sentence;
  parts['outcome-icon'].setAttribute('href', `#icon-${outcome.icon}`);
}
