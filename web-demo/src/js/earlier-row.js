import { fromTemplate } from './dom.js';
import { timeOfDay } from './format.js';
import { excerpt } from './message-view.js';

/** A request that has ended, as one line. */
export function earlierRow(request, outcome) {
  const { root, parts } = fromTemplate('earlier-row');
  root.dataset.requestId = request.id;
  root.dataset.tone = outcome.tone;
  parts.icon.setAttribute('href', `#icon-${outcome.icon}`);
  parts.sentence.textContent = outcome.sentence;
  parts.requester.textContent = request.requester.name;
  parts.excerpt.textContent = excerpt(request.message);
  const now = new Date();
  parts.time.dateTime = now.toISOString();
  parts.time.textContent = timeOfDay(now);
  return root;
}
