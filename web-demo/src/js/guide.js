import { byId } from './dom.js';

const ITEM = 'countersign-demo-guide';
/** @type {('ask' | 'approve' | 'verify')[]} */
const STEPS = ['ask', 'approve', 'verify'];

/** The way through the page in three steps, each done when the visitor has really done it. */
export function guide() {
  const root = byId('guide');
  const again = byId('guide-again');
  /** @type {Set<typeof STEPS[number]>} */
  const done = new Set();
  let hint = '';

  function show() {
    const current = STEPS.find((step) => !done.has(step));
    for (const step of STEPS) {
      const item = byId(`guide-${step}`);
      item.dataset.state = done.has(step) ? 'done' : step === current ? 'current' : 'next';
      if (step === current) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
    byId('guide-hint').textContent = current ? hint : 'That is all of it.';
    byId('guide-next').hidden = Boolean(current);
    byId('guide-close').textContent = current ? 'Skip' : 'Done';
  }

  /** @param {boolean} isOpen */
  function open(isOpen) {
    root.hidden = !isOpen;
    again.hidden = isOpen;
  }

  /**
   * @param {typeof STEPS[number]} step
   * @param {boolean} isDone
   * @param {string} words
   */
  function reach(step, isDone, words = '') {
    if (isDone) done.add(step);
    else done.delete(step);
    hint = words;
    show();
  }

  byId('guide-close').addEventListener('click', () => {
    open(false);
    remember('closed');
    again.focus();
  });
  again.addEventListener('click', () => {
    done.clear();
    hint = '';
    open(true);
    remember('');
    show();
    root.focus();
  });
  open(recall() !== 'closed');
  show();

  return {
    /** The visitor has asked. */
    asked: () => reach('ask', true),
    /**
     * It came to an end.
     *
     * @param {boolean} signed whether with a signature
     * @param {boolean} isKnown whether the backend was told how
     */
    ended(signed, isKnown) {
      if (signed) return reach('approve', true);
      done.delete('ask');
      const words = isKnown ? 'No signature this time, and the backend was told why.' : 'The backend got no answer, and cannot know why.';
      return reach('approve', false, `${words} Ask again.`);
    },
    /** The visitor has tried whether a changed byte is noticed. */
    flipped: () => done.has('approve') && reach('verify', true),
  };
}

function recall() {
  try {
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

/** @param {string} value */
function remember(value) {
  try {
    localStorage.setItem(ITEM, value);
  } catch {
    // Storage may be blocked; the guide then comes back with the next visit.
  }
}
