import { showOutcome } from './card-parts.js';
import { armedButtons, isEnabled } from './decision.js';
import { fromTemplate } from './dom.js';
import { showMessage } from './message-view.js';
import { outcomeOf } from './outcome.js';
import { readToEnd } from './read-to-end.js';

/**
 * One message of a batch, as an item of its card.
 *
 * @param {import('countersign').SignRequest} request
 * @param {{ number: number, count: number }} place from 1
 * @param {object} told
 * @param {(failure?: import('countersign').CountersignError) => void} told.onChange called when there is news of it
 * @param {() => void} told.onSeen called when it was seen from its beginning to its end
 */
export function batchMessage(request, { number, count }, { onChange, onSeen }) {
  const { root, parts } = fromTemplate('batch-message');
  const buttons = armedButtons(parts);
  const outcome = () => outcomeOf(request, failure ?? request.signal.reason);
  /** @type {import('countersign').CountersignError | undefined} */
  let failure;

  /** @param {() => Promise<import('countersign').Outcome>} answer */
  async function decide(answer) {
    const hadFocus = parts.decide.contains(document.activeElement);
    try {
      const sent = answer();
      show();
      if (hadFocus) parts.outcome.focus();
      failure = (await sent).error;
    } catch (error) {
      failure = /** @type {import('countersign').CountersignError} */ (error);
    }
    show();
    if (request.state === 'open' && failure) onChange(failure);
  }

  function show() {
    const now = outcome();
    root.dataset.state = request.state;
    if (now) {
      parts.decide.hidden = true;
      showOutcome(parts, now);
    }
    onChange();
  }

  root.dataset.requestId = request.id;
  parts.name.textContent = `Message ${number} of ${count}`;
  parts.message.setAttribute('aria-label', `Message ${number} of ${count}`);
  parts.approve.setAttribute('aria-label', `Approve message ${number}`);
  parts.decline.setAttribute('aria-label', `Decline message ${number}`);
  showMessage(parts, request.message);
  parts.approve.addEventListener('click', () => isEnabled(parts.approve) && decide(() => request.approve()));
  parts.decline.addEventListener('click', () => isEnabled(parts.decline) && decide(() => request.reject()));
  request.on('change', show);
  readToEnd(parts, () => {
    request.displayed();
    buttons.allow();
    onSeen();
  });

  return {
    root,
    outcome,
    arm: buttons.arm,
    /**
     * Learns what became of an answer that was given for all.
     *
     * @param {import('countersign').CountersignError} error
     */
    failed(error) {
      failure = error;
      show();
    },
    /**
     * Has it decided by itself, or with the others.
     *
     * @param {boolean} apart
     */
    decideApart(apart) {
      parts.decide.hidden = !apart || request.state !== 'open';
      buttons.arm();
    },
  };
}
