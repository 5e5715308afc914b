import { byId, element } from './dom.js';
import { timeLeft } from './format.js';

const SECOND_MS = 1_000;

/** The notice of a tab whose wallet is open in another one: no prompt, only what waits there. */
export function standbyNotice() {
  const notice = byId('standby');
  const list = byId('elsewhere');
  /** @type {readonly import('countersign').ElsewhereRequest[]} */
  let requests = [];
  let timer = 0;

  function render() {
    clearTimeout(timer);
    list.replaceChildren(...requests.map(line));
    list.hidden = requests.length === 0;
    byId('elsewhere-none').hidden = requests.length > 0;
    if (!notice.hidden && requests.length > 0) timer = setTimeout(render, SECOND_MS);
  }

  return {
    /**
     * Whether this tab stands by.
     *
     * @param {boolean} standsBy
     */
    show(standsBy) {
      notice.hidden = !standsBy;
      byId('requests').hidden = standsBy;
      render();
    },
    /**
     * What is open in the other tab.
     *
     * @param {readonly import('countersign').ElsewhereRequest[]} elsewhere
     */
    list(elsewhere) {
      requests = elsewhere;
      render();
    },
  };
}

/** @param {import('countersign').ElsewhereRequest} request */
function line({ id, requester, purpose, expiresAt, state }) {
  const item = element('li', 'elsewhere-row');
  item.dataset.requestId = id;
  const who = element('p', 'elsewhere-who');
  who.append(element('bdi', '', requester.name));
  if (purpose) who.append(element('span', 'hint', ' · '), element('q', 'hint', purpose));
  const how = state === 'open' ? `waits there, ${timeLeft(Math.max(0, expiresAt - Date.now()))} left` : 'answered there';
  item.append(who, element('p', 'hint elsewhere-how', how));
  return item;
}
