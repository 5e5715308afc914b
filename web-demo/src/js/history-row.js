import { fromTemplate } from './dom.js';
import { timeOfDay } from './format.js';
import { excerpt } from './message-view.js';

/**
 * A request that has ended, as one line.
 *
 * @param {import('countersign').SignRequest} request
 * @param {RequestOutcome} outcome
 */
export function historyRow({ id, requester, message }, outcome) {
  const { root, parts } = row(id, outcome);
  parts.requester.textContent = requester.name;
  parts.excerpt.textContent = excerpt(message);
  return root;
}

// Who had answered before a reload learns one of the others.
const NOT_SHOWN = ['expired', 'cancelled', 'answered_elsewhere'];

/**
 * The same of one that this page has not shown: what it said is not known here.
 *
 * @param {string} id
 * @param {import('countersign').RequestState} state
 * @param {RequestOutcome} outcome
 */
export function unseenRow(id, state, outcome) {
  const { root, parts } = row(id, outcome);
  parts.about.textContent = NOT_SHOWN.includes(state) ? 'It was over before it could be shown' : 'An answer from before the reload';
  return root;
}

/**
 * @param {string} id
 * @param {RequestOutcome} outcome
 */
function row(id, outcome) {
  const made = fromTemplate('history-row');
  const { root, parts } = made;
  root.dataset.requestId = id;
  root.dataset.tone = outcome.tone;
  parts.icon.setAttribute('href', `#icon-${outcome.icon}`);
  parts.sentence.textContent = outcome.sentence;
  const now = new Date();
  parts.time.dateTime = now.toISOString();
  parts.time.textContent = timeOfDay(now);
  return made;
}
