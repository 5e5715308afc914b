import { REPORTS, WALLETS } from './addresses.js';
import { openKey, Wallet } from './node_modules/countersign/dist/browser.js';

/** Tells the test, which must not look at this worker: whoever is looked at by a debugger is not ended. */
const say = (word) => fetch(REPORTS, { method: 'POST', body: JSON.stringify(word) });

let wallet;

async function connect() {
  if (wallet === undefined) {
    wallet = new Wallet({ key: await openKey(), url: WALLETS });
    wallet.on('request', (request) => request.approve());
    wallet.on('state', ({ state }) => state === 'connected' && say({ publicKey: wallet.publicKey }));
  }
  await wallet.connect();
}

// A worker that has nothing to do is ended after 30 seconds, and its timers with it: this starts it anew, or has it try at once.
chrome.alarms.create('connect', { periodInMinutes: 0.5 });
chrome.alarms.onAlarm.addListener(() => void connect());
void connect();
void say({ started: true });
