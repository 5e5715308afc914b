import { byId, fromTemplate } from '../dom.js';
import { preciseTime } from '../format.js';
import { frameWords, isHeartbeat } from './frame-words.js';
import { frameOf } from './interceptor.js';

const ROWS_KEPT = 200;
const SHOWN_CHARACTERS = 6_000;
const NEAR_END_PX = 24;
/** @type {Partial<Record<Fate, string>>} */
const FATES = { altered: 'changed on the way', dropped: 'never arrived', injected: 'slipped in' };

/** The live log of everything on the wire, newest last and in sight, unless somebody has scrolled up. Nobody is read to from it: what matters is announced elsewhere. */
export function frameLog() {
  const log = byId('frames');
  const list = byId('frame-rows');
  const pause = byId('pause-frames');
  const beats = byId('show-heartbeats');
  let missed = 0;

  const isPaused = () => pause.getAttribute('aria-pressed') === 'true';

  function count() {
    const rows = list.childElementCount;
    byId('no-frames').hidden = rows > 0;
    byId('frames-missed').textContent = missed > 0 ? `Paused, ${missed} not shown` : '';
  }

  pause.addEventListener('click', () => {
    pause.setAttribute('aria-pressed', String(!isPaused()));
    missed = 0;
    count();
  });
  byId('clear-frames').addEventListener('click', () => {
    list.replaceChildren();
    missed = 0;
    count();
  });
  beats.addEventListener('change', () => {
    log.dataset.heartbeats = String(beats.checked);
  });

  return {
    /**
     * Adds a frame.
     *
     * @param {FrameSeen} event
     * @param {string} whose which wallet's, where it is not the visitor's
     */
    add(event, whose = '') {
      if (isPaused()) {
        missed += 1;
        return count();
      }
      const follows = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
      list.append(row(event, whose));
      while (list.childElementCount > ROWS_KEPT) list.firstElementChild?.remove();
      if (follows) log.scrollTop = log.scrollHeight;
      return count();
    },
  };
}

/**
 * @param {FrameSeen} event
 * @param {string} whose
 */
function row({ direction, text, fate = 'passed', was }, whose) {
  const { root, parts } = fromTemplate('frame-row');
  const frame = frameOf(text);
  const now = new Date();
  root.dataset.direction = direction;
  root.dataset.type = frame.type ?? '';
  root.dataset.heartbeat = String(isHeartbeat(frame));
  root.dataset.fate = fate;
  parts.arrow.setAttribute('href', direction === 'in' ? '#icon-down' : '#icon-up');
  parts.way.textContent = direction === 'in' ? 'To the wallet: ' : 'To the server: ';
  parts.type.textContent = frame.type ?? 'no frame';
  parts.words.textContent = frameWords(frame);
  parts.time.textContent = preciseTime(now);
  parts.time.dateTime = now.toISOString();
  parts.whose.textContent = whose;
  parts.fate.textContent = FATES[fate] ?? '';
  // Written when somebody looks: most are never opened.
  parts.details.addEventListener('toggle', () => {
    parts.json.textContent = parts.details.open ? (was ? `${pretty(text)}\n\nIt was:\n${pretty(was)}` : pretty(text)) : '';
  });
  return root;
}

/** @param {string} text */
function pretty(text) {
  const json = text.length > SHOWN_CHARACTERS ? text : JSON.stringify(frameOf(text), null, 2);
  return json.length > SHOWN_CHARACTERS
    ? `${json.slice(0, SHOWN_CHARACTERS)}… and ${json.length - SHOWN_CHARACTERS} characters more`
    : json;
}
