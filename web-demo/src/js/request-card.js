import { fromTemplate } from './dom.js';
import { countdown } from './countdown.js';
import { sentence } from './format.js';
import { describe, isReadable, showMessage } from './message-view.js';
import { hasEnded, outcomeOf } from './outcome.js';
import { whenSeen } from './seen.js';

// A card that appears or moves under a pointer already on its way must not take the click meant for something else.
const ARMING_MS = 400;

/**
 * One request as a card.
 *
 * @param request    the SDK's request
 * @param onEnd      called with the outcome when nothing more can happen, and again should more become known of it
 */
export function requestCard(request, onEnd) {
  const { root, parts } = fromTemplate('request-card');
  const article = root.firstElementChild;
  const stopCountdown = countdown(request, parts);
  let arming;
  let failure;
  let told = '';

  const outcomeNow = () => outcomeOf(request, failure ?? request.signal.reason);
  const isArmed = () => parts.approve.getAttribute('aria-disabled') !== 'true';

  async function decide(answer) {
    try {
      await answer;
    } catch (error) {
      failure = error;
    }
    show();
    if (request.state === 'open' && failure) complain(failure);
  }

  /** Nothing was sent: says why, and leaves the decision open. */
  function complain(error) {
    const about = parts.declining.hidden ? parts.approve : parts.reason;
    about.setCustomValidity(sentence(error.message));
    about.reportValidity();
  }

  function arm() {
    for (const button of [parts.approve, parts.decline]) button.setAttribute('aria-disabled', 'true');
    clearTimeout(arming);
    arming = setTimeout(() => {
      for (const button of [parts.approve, parts.decline]) button.removeAttribute('aria-disabled');
    }, ARMING_MS);
  }

  function askForReason(asking) {
    parts.decide.hidden = asking;
    parts.declining.hidden = !asking;
    (asking ? parts.reason : parts.decline).focus();
  }

  function show() {
    const outcome = outcomeNow();
    article.dataset.state = request.state;
    if (!outcome) return;
    const hadFocus = parts.decide.contains(document.activeElement) || parts.declining.contains(document.activeElement);
    stopCountdown();
    parts.decide.hidden = parts.declining.hidden = true;
    parts.outcome.hidden = false;
    parts.outcome.dataset.tone = outcome.tone;
    parts.sentence.textContent = outcome.sentence;
    parts['outcome-icon'].setAttribute('href', `#icon-${outcome.icon}`);
    if (hadFocus) parts.outcome.focus();
    if (hasEnded(request) && told !== outcome.sentence) {
      told = outcome.sentence;
      onEnd(outcome);
    }
  }

  article.dataset.requestId = request.id;
  parts.requester.textContent = request.requester.name;
  parts.monogram.textContent = [...request.requester.name][0].toUpperCase();
  parts.size.textContent = describe(request.message);
  parts.blind.hidden = isReadable(request.message);
  parts.claim.hidden = !request.purpose;
  parts.purpose.textContent = request.purpose ?? '';
  showMessage(parts.message, request.message);

  parts.approve.addEventListener('click', () => isArmed() && decide(request.approve()));
  parts.decline.addEventListener('click', () => isArmed() && askForReason(true));
  parts.reason.addEventListener('input', () => parts.reason.setCustomValidity(''));
  parts.back.addEventListener('click', () => askForReason(false));
  parts.declining.addEventListener('keydown', (event) => event.key === 'Escape' && askForReason(false));
  parts.declining.addEventListener('submit', (event) => {
    event.preventDefault();
    decide(request.reject(parts.reason.value.trim() || undefined));
  });
  request.on('change', show);
  whenSeen(parts.message, () => request.displayed());
  arm();
  show();

  return {
    root,
    request,
    arm,
    outcome: outcomeNow,
    /** Offers a way to the answer that the other half of the page got for this request. */
    linkToAnswer: () => { parts['see-answer'].hidden = false; },
  };
}
