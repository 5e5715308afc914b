import { showOutcome } from './card-parts.js';
import { armedButtons } from './decision.js';
import { fromTemplate } from './dom.js';
import { showMessage } from './message-view.js';
import { outcomeOf } from './outcome.js';
import { whenSeen } from './seen.js';

/**
 * One message of a batch, as an item of its card.
 *
 * @param {import('../../types/countersign/browser.js').SignRequest} request
 * @param {{ number: number, count: number }} place from 1
 * @param {(failure?: import('../../types/countersign/browser.js').CountersignError) => void} onChange called when there is news of it
 */
export function batchMessage(request, { number, count }, onChange) {
  const { root, parts } = fromTemplate('batch-message');
  const buttons = armedButtons([parts.approve, parts.decline]);
  const outcome = () => outcomeOf(request, failure ?? request.signal.reason);
  /** @type {import('../../types/countersign/browser.js').CountersignError | undefined} */
  let failure;

  /** @param {() => Promise<import('../../types/countersign/browser.js').Outcome>} answer */
  async function decide(answer) {
    const hadFocus = parts.decide.contains(document.activeElement);
    try {
      const sent = answer();
      show();
      if (hadFocus) parts.outcome.focus();
      failure = (await sent).error;
    } catch (error) {
      failure = /** @type {import('../../types/countersign/browser.js').CountersignError} */ (error);
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
  parts.approve.addEventListener('click', () => buttons.isArmed() && decide(() => request.approve()));
  parts.decline.addEventListener('click', () => buttons.isArmed() && decide(() => request.reject()));
  request.on('change', show);
  whenSeen(parts.message, () => request.displayed());

  return {
    root,
    outcome,
    arm: buttons.arm,
    /**
     * Learns what became of an answer that was given for all.
     *
     * @param {import('../../types/countersign/browser.js').CountersignError} error
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
