import { byId } from './dom.js';

/** How much of the window the prompt's place has to take, if it is not in it whole, to be seen there. */
const ENOUGH = 0.4;
/** A page that was scrolling when the prompt came has gone on by then, in milliseconds. */
const SCROLLS_ON_MS = 1_000;
/** Where somebody may be typing: what they type must not end up elsewhere. */
const TEXT_FIELDS = 'textarea, input:not([type=checkbox], [type=radio])';

/**
 * Brings the prompt to where the human is: where its own place in the page is out of sight, it stands as a sheet at the bottom of the window. It is
 * moved by style alone, so that it stays the same element, and never under somebody's hands: only when a prompt comes, or when it is put away.
 *
 * @param {() => void} onMove called after it has moved
 */
export function promptSheet(onMove) {
  const stage = byId('requests');
  const place = byId('requests-place');
  /** @type {HTMLElement | null} */
  let cameFrom = null;
  /** Ended when another prompt comes, or somebody lays hands on this one. */
  let untouched = new AbortController();

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
    if (isSheet() || stage.dataset.waiting !== 'true' || isInSight(place)) return;
    const focused = document.activeElement;
    move(true);
    // Whoever has just asked goes on there; to the sheet itself, since a key that is still on its way must not press a button in it.
    const isFree = focused === document.body || (byId('ask').contains(focused) && !focused?.matches(TEXT_FIELDS));
    if (!isFree) return;
    cameFrom = /** @type {HTMLElement} */ (focused);
    stage.focus({ preventScroll: true });
  }

  stage.addEventListener('pointerdown', () => untouched.abort());
  byId('close-sheet').addEventListener('click', close);
  stage.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) close();
  });
  stage.addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('[data-part=see-answer]')) close();
  });

  return {
    /** A prompt has come. */
    offer() {
      follow();
      untouched.abort();
      untouched = new AbortController();
      const options = { once: true, signal: untouched.signal };
      const came = performance.now();
      const scrolled = () => {
        // Where a scroll ends that was under way counts, however long it takes: on a busy machine some seconds.
        if (performance.now() - came < SCROLLS_ON_MS) document.addEventListener('scrollend', follow, options);
      };
      document.addEventListener('scroll', scrolled, options);
    },
    close,
  };
}

/** @param {HTMLElement} element */
function isInSight(element) {
  const { top, bottom, height } = element.getBoundingClientRect();
  const seen = Math.min(bottom, innerHeight) - Math.max(top, 0);
  return seen >= Math.min(height, innerHeight * ENOUGH);
}
