import { byId } from './dom.js';

/** How far down the window a prompt may begin and still be one that is seen at once. */
const LOWEST_START = 0.55;
/** Where somebody may be typing: what they type must not end up elsewhere. */
const TEXT_FIELDS = 'textarea, input:not([type=checkbox], [type=radio])';

/**
 * Brings the prompt to where the human is: where its own place in the page is out of sight, it stands as a sheet at the bottom of the window. It is
 * moved by style alone, so that it stays the same element, and never under somebody's hands: only when a prompt comes, when the page was scrolled to
 * its place or away from it, or when it is put away, and then it stays there until the next comes.
 *
 * @param {() => void} onMove called after it has moved
 */
export function promptSheet(onMove) {
  const stage = byId('requests');
  const place = byId('requests-place');
  /** @type {HTMLElement | null} */
  let cameFrom = null;
  /** @type {HTMLElement | undefined} */
  let latest;

  const isSheet = () => stage.dataset.sheet === 'true';

  /** @param {boolean} on */
  function move(on) {
    // The page behind it keeps its height, or it would jump.
    place.style.minHeight = on ? `${place.offsetHeight}px` : '';
    stage.dataset.sheet = String(on);
    onMove();
  }

  function close() {
    if (!isSheet()) return;
    const hadFocus = stage.contains(document.activeElement);
    move(false);
    if (hadFocus && cameFrom?.isConnected) cameFrom.focus({ preventScroll: true });
    cameFrom = null;
  }

  function follow() {
    if (isSheet() && isInSight(place)) return close();
    if (!latest || isSheet() || stage.dataset.waiting !== 'true' || isInSight(latest)) return undefined;
    const focused = document.activeElement;
    move(true);
    // Whoever has just asked goes on there; to the sheet itself, since a key that is still on its way must not press a button in it.
    const isFree = focused === document.body || (byId('ask').contains(focused) && !focused?.matches(TEXT_FIELDS));
    if (!isFree) return undefined;
    cameFrom = /** @type {HTMLElement} */ (focused);
    return stage.focus({ preventScroll: true });
  }

  function putAway() {
    latest = undefined;
    close();
  }

  byId('close-sheet').addEventListener('click', putAway);
  document.addEventListener('scrollend', follow);
  stage.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) putAway();
  });
  stage.addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('[data-part=see-answer]')) close();
  });

  return {
    /**
     * A prompt has come.
     *
     * @param {HTMLElement} card
     */
    offer(card) {
      latest = card;
      follow();
    },
    close,
  };
}

/** @param {HTMLElement} element */
function isInSight(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && (bottom <= innerHeight || top < innerHeight * LOWEST_START);
}
