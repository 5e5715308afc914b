import { showOutcome, showRequester } from './card-parts.js';
import { countdown } from './countdown.js';
import { decision } from './decision.js';
import { fromTemplate } from './dom.js';
import { showMessage } from './message-view.js';
import { hasEnded, outcomeOf } from './outcome.js';
import { readToEnd } from './read-to-end.js';

/**
 * One request as a card.
 *
 * @param {import('countersign').SignRequest} request
 * @param {(outcome: RequestOutcome) => void} onEnd called with the outcome when nothing more can happen, and again should more become known of it
 * @returns {Card}
 */
export function requestCard(request, onEnd) {
  const { root, parts } = fromTemplate('request-card');
  const article = /** @type {HTMLElement} */ (root.firstElementChild);
  const stopCountdown = countdown(request, parts);
  const choice = decision(parts, {
    onApprove: () => decide(request.approve()),
    onDecline: (reason) => decide(request.reject(reason)),
  });
  /** @type {import('countersign').CountersignError | undefined} */
  let failure;
  let told = '';

  const outcomeNow = () => outcomeOf(request, failure ?? request.signal.reason);

  /** @param {Promise<import('countersign').Outcome>} answer */
  async function decide(answer) {
    try {
      failure = (await answer).error;
    } catch (error) {
      failure = /** @type {import('countersign').CountersignError} */ (error);
    }
    show();
    if (request.state === 'open' && failure) choice.complain(failure);
  }

  function show() {
    const outcome = outcomeNow();
    article.dataset.state = request.state;
    if (!outcome) return;
    stopCountdown();
    const hadFocus = choice.remove();
    parts.resumed.hidden = parts.replaces.hidden = parts.more.hidden = true;
    showOutcome(parts, outcome);
    if (hadFocus) parts.outcome.focus();
    if (hasEnded(request) && told !== outcome.sentence) {
      told = outcome.sentence;
      onEnd(outcome);
    }
  }

  article.dataset.requestId = request.id;
  article.dataset.resumed = String(request.resumed);
  parts.resumed.hidden = !request.resumed;
  showRequester(parts, request);
  showMessage(parts, request.message);
  request.on('change', show);
  readToEnd(parts, () => {
    request.displayed();
    choice.allow();
  });
  choice.arm();
  show();

  return {
    root,
    requests: [request],
    arm: choice.arm,
    outcomes: () => [outcomeNow()],
    /** Says that another request stood here, which nobody is to take it for. */
    replace: () => {
      parts.replaces.hidden = request.state !== 'open';
    },
    /** Offers a way to the answer that the other half of the page got for this request. */
    linkToAnswer: () => {
      parts['see-answer'].hidden = false;
    },
  };
}
