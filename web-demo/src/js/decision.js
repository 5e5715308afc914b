import { sentence } from './format.js';

// A card that appears or moves under a pointer already on its way must not take the click meant for something else.
const ARMING_MS = 400;

/**
 * The two ways to decide: Approve, and Decline with a reason.
 *
 * @param {Parts} parts decide, approve, decline, declining, reason, back
 * @param {{ onApprove(): void, onDecline(reason: string | undefined): void }} handlers
 */
export function decision(parts, { onApprove, onDecline }) {
  const armed = armedButtons(parts);

  /** @param {boolean} asking */
  function askForReason(asking) {
    parts.decide.hidden = asking;
    parts.declining.hidden = !asking;
    (asking ? parts.reason : parts.decline).focus();
  }

  parts.approve.addEventListener('click', () => isEnabled(parts.approve) && onApprove());
  parts.decline.addEventListener('click', () => isEnabled(parts.decline) && askForReason(true));
  parts.reason.addEventListener('input', () => parts.reason.setCustomValidity(''));
  parts.back.addEventListener('click', () => askForReason(false));
  parts.declining.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    // One step back at a time.
    event.preventDefault();
    askForReason(false);
  });
  parts.declining.addEventListener('submit', (event) => {
    event.preventDefault();
    onDecline(parts.reason.value.trim() || undefined);
  });

  return {
    ...armed,
    /**
     * Nothing was sent: says why, and leaves the decision open.
     *
     * @param {{ message: string }} error
     */
    complain(error) {
      const about = parts.declining.hidden ? parts.approve : parts.reason;
      about.setCustomValidity(sentence(error.message));
      about.reportValidity();
    },
    /** Takes the choice away; answers whether it had the focus. */
    remove() {
      const hadFocus = parts.decide.contains(document.activeElement) || parts.declining.contains(document.activeElement);
      parts.decide.hidden = parts.declining.hidden = true;
      return hadFocus;
    },
  };
}

/**
 * Approve and Decline, which take no click for the first moments after `arm()`; Approve none before `allow()` either.
 *
 * @param {Parts} parts approve, decline
 */
export function armedButtons({ approve, decline }) {
  const armApprove = arming(approve);
  const armDecline = arming(decline);
  let isAllowed = false;
  enable(approve, false);
  approve.setAttribute('aria-description', 'Possible when the message was read to its end');

  return {
    arm() {
      if (isAllowed) armApprove();
      armDecline();
    },
    /** Whatever had to be seen was seen. */
    allow() {
      isAllowed = true;
      approve.removeAttribute('aria-description');
      armApprove();
    },
  };
}

/** @param {HTMLElement} button */
function arming(button) {
  let timer = 0;
  return () => {
    enable(button, false);
    clearTimeout(timer);
    timer = setTimeout(() => enable(button, true), ARMING_MS);
  };
}

/** @param {HTMLElement} button */
export const isEnabled = (button) => button.getAttribute('aria-disabled') !== 'true';

/**
 * A button that cannot be pressed yet stays where the keyboard finds it.
 *
 * @param {HTMLElement} button
 * @param {boolean} isPossible
 */
function enable(button, isPossible) {
  if (isPossible) button.removeAttribute('aria-disabled');
  else button.setAttribute('aria-disabled', 'true');
}
