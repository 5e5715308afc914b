/**
 * Calls `then` once, when a message was before somebody's eyes from its beginning to its end: both have been on the screen of a visible tab,
 * however far it had to be scrolled for that.
 *
 * @param {HTMLElement} content what scrolls, its text inside
 * @param {() => void} then
 */
export function whenFullySeen(content, then) {
  const ends = [edge(), edge()];
  content.prepend(ends[0]);
  content.append(ends[1]);
  /** @type {Set<Element>} */
  const onScreen = new Set();
  /** @type {Set<Element>} */
  const seen = new Set();

  function look() {
    if (document.visibilityState !== 'visible') return;
    for (const end of onScreen) seen.add(end);
    if (seen.size < ends.length) return;
    observer.disconnect();
    document.removeEventListener('visibilitychange', look);
    then();
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) onScreen.add(target);
      else onScreen.delete(target);
    }
    look();
  });
  for (const end of ends) observer.observe(end);
  document.addEventListener('visibilitychange', look);
}

/** A place in the text that takes no room in it. */
function edge() {
  const made = document.createElement('span');
  made.className = 'edge';
  return made;
}
