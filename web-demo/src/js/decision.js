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
  const armed = armedButtons([parts.approve, parts.decline]);

  /** @param {boolean} asking */
  function askForReason(asking) {
    parts.decide.hidden = asking;
    parts.declining.hidden = !asking;
    (asking ? parts.reason : parts.decline).focus();
  }

  parts.approve.addEventListener('click', () => armed.isArmed() && onApprove());
  parts.decline.addEventListener('click', () => armed.isArmed() && askForReason(true));
  parts.reason.addEventListener('input', () => parts.reason.setCustomValidity(''));
  parts.back.addEventListener('click', () => askForReason(false));
  parts.declining.addEventListener('keydown', (event) => event.key === 'Escape' && askForReason(false));
  parts.declining.addEventListener('submit', (event) => {
    event.preventDefault();
    onDecline(parts.reason.value.trim() || undefined);
  });

  return {
    arm: armed.arm,
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
 * Buttons that take no click for the first moments after `arm()`.
 *
 * @param {HTMLElement[]} buttons
 */
export function armedButtons(buttons) {
  let arming = 0;
  return {
    isArmed: () => buttons.every((button) => button.getAttribute('aria-disabled') !== 'true'),
    arm() {
      for (const button of buttons) button.setAttribute('aria-disabled', 'true');
      clearTimeout(arming);
      arming = setTimeout(() => {
        for (const button of buttons) button.removeAttribute('aria-disabled');
      }, ARMING_MS);
    },
  };
}
