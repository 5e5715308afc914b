/**
 * Calls `then` once, when `target` is on the screen of a visible tab.
 *
 * @param {HTMLElement} target
 * @param {() => void} then
 */
export function whenSeen(target, then) {
  let onScreen = false;
  const check = () => {
    if (!onScreen || document.visibilityState !== 'visible') return;
    observer.disconnect();
    document.removeEventListener('visibilitychange', check);
    then();
  };
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting === true;
    check();
  });
  observer.observe(target);
  document.addEventListener('visibilitychange', check);
}
