import { batchMessage } from './batch-message.js';
import { showOutcome, showRequester } from './card-parts.js';
import { countdown } from './countdown.js';
import { decision } from './decision.js';
import { fromTemplate } from './dom.js';
import { hasEnded, summaryOf } from './outcome.js';

/**
 * Several requests that belong together as one card: decided all at once, or one by one where the human wants.
 *
 * @param {import('countersign').SignBatch} batch
 * @param {(summary: RequestOutcome) => void} onEnd called with the outcome of all when nothing more can happen
 * @returns {Card}
 */
export function batchCard(batch, onEnd) {
  const { root, parts } = fromTemplate('batch-card');
  const article = /** @type {HTMLElement} */ (root.firstElementChild);
  const { requests } = batch;
  const open = () => requests.filter((request) => request.state === 'open');
  const stopCountdown = countdown(
    {
      get remainingMs() {
        return Math.min(...requests.map((request) => request.remainingMs));
      },
    },
    parts,
  );
  const choice = decision(parts, {
    onApprove: () => decide(open(), batch.approve()),
    onDecline: (reason) => decide(open(), batch.reject(reason)),
  });
  const messages = requests.map((request, index) =>
    batchMessage(request, { number: index + 1, count: requests.length }, { onChange: changed, onSeen: () => seen(request) }),
  );
  const unseen = new Set(requests);
  const outcomes = () => messages.map((message) => message.outcome());
  let told = '';

  /**
   * Those decided before have their own outcome already.
   *
   * @param {import('countersign').SignRequest[]} decided
   * @param {Promise<import('countersign').Outcome[]>} answers
   */
  async function decide(decided, answers) {
    try {
      (await answers).forEach(({ error }, index) => {
        if (error && decided.includes(requests[index])) messages[index].failed(error);
      });
    } catch (error) {
      choice.complain(/** @type {import('countersign').CountersignError} */ (error));
    }
  }

  /**
   * One approval stands for all that are open, so that all of these are read before.
   *
   * @param {import('countersign').SignRequest} request
   */
  function seen(request) {
    if (unseen.delete(request) && unseen.size === 0) choice.allow();
  }

  /** @param {import('countersign').CountersignError} [failure] */
  function changed(failure) {
    const left = open().length;
    for (const request of requests) if (request.state !== 'open') seen(request);
    if (failure && left > 0) choice.complain(failure);
    parts.approve.textContent = left < requests.length ? 'Approve rest' : 'Approve all';
    parts.decline.textContent = parts['decline-all'].textContent = left < requests.length ? 'Decline rest' : 'Decline all';
    if (left > 0) return;
    const summary = summaryOf(
      requests,
      outcomes().filter((outcome) => outcome !== null),
    );
    article.dataset.state = requests.every(hasEnded) ? 'ended' : 'answered';
    stopCountdown();
    const hadFocus = choice.remove();
    parts.resumed.hidden = true;
    showOutcome(parts, summary);
    if (hadFocus) parts.outcome.focus();
    if (requests.every(hasEnded) && told !== summary.sentence) {
      told = summary.sentence;
      onEnd(summary);
    }
  }

  const resumed = requests.every((request) => request.resumed);
  article.dataset.batchId = batch.id;
  article.dataset.resumed = String(resumed);
  parts.resumed.hidden = !resumed;
  parts.count.textContent = ` asks you to sign ${requests.length} messages`;
  showRequester(parts, batch);
  parts.messages.append(...messages.map((message) => message.root));
  parts.apart.addEventListener('click', () => {
    const apart = parts.apart.getAttribute('aria-expanded') !== 'true';
    parts.apart.setAttribute('aria-expanded', String(apart));
    messages.forEach((message) => message.decideApart(apart));
    choice.arm();
  });
  choice.arm();
  changed();

  return {
    root,
    requests,
    arm() {
      choice.arm();
      messages.forEach((message) => message.arm());
    },
    outcomes,
    linkToAnswer: () => {
      parts['see-answer'].hidden = false;
    },
  };
}
