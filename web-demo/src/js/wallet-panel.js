import { showConnection, showProblem } from './connection-badge.js';
import { copyButton } from './copy.js';
import { byId } from './dom.js';
import { shortKey } from './format.js';
import { loadKey, newKey } from './key-store.js';
import { requestList } from './request-list.js';
import { Wallet } from './sdk.js';

/**
 * The left half of the page.
 *
 * @param onKey    called with the public key whenever it changes
 * @param onOpen   called with the number of requests that wait for a decision
 */
export function walletPanel({ onKey, onOpen }) {
  const requests = requestList(onOpen);
  const shown = byId('public-key');
  const change = byId('new-key');
  let key;
  let wallet;

  function use(next) {
    key = next;
    const mine = new Wallet({ key });
    wallet = mine;
    // A wallet that was replaced has nothing more to say.
    mine.on('state', (state) => wallet === mine && showConnection(state));
    mine.on('request', requests.add);
    mine.connect().catch((error) => wallet === mine && showProblem(error));
    shown.textContent = shortKey(key.publicKey);
    shown.title = key.publicKey;
    onKey(key.publicKey);
  }

  async function replace() {
    change.disabled = true;
    try {
      await requests.declineAll();
      wallet?.close();
      key?.free();
      use(await newKey());
    } catch (error) {
      showProblem(error);
    } finally {
      change.disabled = false;
    }
  }

  copyButton(byId('copy-key'), () => key.publicKey, shown);
  change.addEventListener('click', replace);
  loadKey().then(use).catch(showProblem);

  return { cardOf: requests.cardOf };
}
