import { showConnection, showProblem } from './connection-badge.js';
import { copyButton, copyShown } from './copy.js';
import { byId, grouped } from './dom.js';
import { groupsOf, sentence } from './format.js';
import { loadKey, newKey, onKeyReplaced } from './key-store.js';
import { replacements } from './replacements.js';
import { requestList } from './request-list.js';
import { rules } from './rules.js';
import { Wallet } from './sdk.js';
import { standbyNotice } from './standby.js';
import { showStorage } from './storage-badge.js';

/** Four groups of a key's 44 characters of base64. */
const KEY_GROUP = 11;

/**
 * The left half of the page.
 *
 * @param {object} options
 * @param {(publicKey: string) => void} options.onKey called with the public key whenever it changes
 * @param {(state: string) => void} options.onState called with the state of its connection whenever that changes
 * @param {(count: number) => void} options.onOpen called with the number of requests that wait for a decision
 * @param {(frame: FrameSeen) => void} options.onFrame called with each frame of the wallet
 * @param {(text: string) => void} options.onExample called with a message that the backend could ask for
 */
export function walletPanel({ onKey, onState, onOpen, onFrame, onExample }) {
  const requests = requestList(onOpen);
  const places = replacements();
  const standby = standbyNotice();
  const allowed = rules(onExample);
  const shown = byId('public-key');
  const change = byId('new-key');
  /** @type {PageKey | undefined} */
  let key;
  /** @type {Wallet | undefined} */
  let wallet;

  /** @param {PageKey} next */
  function use(next) {
    key = next;
    const mine = new Wallet({ key: next });
    wallet = mine;
    /**
     * A wallet that was replaced has nothing more to say.
     *
     * @template Event
     * @param {(event: Event) => void} then
     * @returns {(event: Event) => void}
     */
    const told = (then) => (event) => {
      if (wallet === mine) then(event);
    };
    mine.on('state', told(showState));
    mine.on('elsewhere', told(standby.list));
    mine.on('error', told(showMemory));
    mine.on('frame', told(onFrame));
    mine.on('frame', told(places.hear));
    mine.on('request', (request) => requests.add(request, places.take(request.id)));
    mine.on('batch', requests.addBatch);
    mine.on('approved', ({ request }) => requests.addApproved(request));
    mine.on('ended', told(requests.addEnded));
    allowed.of(mine);
    mine.connect().catch(told(showProblem));
    shown.replaceChildren(grouped(groupsOf(next.publicKey, KEY_GROUP)));
    showStorage(next);
    onKey(next.publicKey);
  }

  /** @param {import('countersign').StateEvent} event */
  function showState(event) {
    showConnection(event);
    onState(event.state);
    const standsBy = event.state === 'standby';
    if (standsBy) requests.clear();
    standby.show(standsBy);
  }

  /** @param {() => PageKey | Promise<PageKey>} next */
  async function replace(next) {
    change.disabled = true;
    try {
      await requests.declineAll();
      const last = wallet;
      wallet = undefined;
      last?.close();
      free(key);
      standby.list([]);
      byId('memory-problem').hidden = true;
      use(await next());
    } catch (error) {
      showProblem(/** @type {Error} */ (error));
    } finally {
      change.disabled = false;
    }
  }

  copyButton(byId('copy-key'), () => key?.publicKey ?? '', shown);
  change.addEventListener('click', () => replace(newKey));
  showAddress(byId('node-wallet'));
  for (const id of ['page-wallet', 'node-wallet']) copyShown(id);
  onKeyReplaced((other) => (other.publicKey === key?.publicKey ? free(other) : replace(() => other)));
  loadKey().then(use).catch(showProblem);

  return { cardOf: requests.cardOf };
}

/** @typedef {import('countersign').Key | import('countersign').WebCryptoKey} PageKey */

/**
 * Overwrites the secret of a key that is in memory; the browser itself holds the others.
 *
 * @param {PageKey | undefined} key
 */
function free(key) {
  if (key && 'free' in key) key.free();
}

/**
 * Says what a browser that keeps nothing means for the person: the wallet works, but may ask twice.
 *
 * @param {import('countersign').CountersignError} error
 */
function showMemory({ code, message }) {
  if (code !== 'storage_unavailable' && code !== 'storage_failed') return;
  const problem = byId('memory-problem');
  // It is told for each thing that is kept, and means the same.
  if (!problem.hidden) return;
  problem.hidden = false;
  problem.textContent = `This browser does not keep what was decided, so a reload may ask again. ${sentence(message)}`;
}

/**
 * Has a program name this server where it names the one of the documents.
 *
 * @param {HTMLElement} program
 */
function showAddress(program) {
  program.textContent = (program.textContent ?? '').replace('ws://127.0.0.1:8080', location.origin.replace('http', 'ws'));
}
