import { describe, isReadable, showMessage } from './message-view.js';

/** Shows who asks, and why. */
export function showRequester(parts, { requester, purpose }) {
  parts.requester.textContent = requester.name;
  parts.monogram.textContent = [...requester.name][0].toUpperCase();
  parts.claim.hidden = !purpose;
  parts.purpose.textContent = purpose ?? '';
}

/** Shows what is to be signed. */
export function showContent(parts, { message }) {
  parts.size.textContent = describe(message);
  parts.blind.hidden = isReadable(message);
  showMessage(parts.message, message);
}

/** Shows how a request, or several, stand. */
export function showOutcome(parts, outcome) {
  parts.outcome.hidden = false;
  parts.outcome.dataset.tone = outcome.tone;
  parts.sentence.textContent = outcome.sentence;
  parts['outcome-icon'].setAttribute('href', `#icon-${outcome.icon}`);
}
