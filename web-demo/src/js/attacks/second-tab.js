import { signerConnections } from '../api.js';
import { allEnded, allSigned, askedOnce, tookPlace } from './verdict.js';

const PAGE = './second-tab.html';
const WINDOW = 'popup,width=420,height=360';

/** @type {Attack} */
export const secondTab = {
  id: 'second-tab',
  title: 'Open a second tab',
  summary: 'The same wallet is open twice. Both could ask you, and you could sign twice.',
  why: 'One tab holds the wallet’s lock and alone is connected. The others stand by, and take over when it closes.',
  async run(harness) {
    // First of all: a browser opens windows only right after a click.
    const opened = window.open(PAGE, '', WINDOW);
    if (!opened) {
      return [tookPlace(false, 'The browser opened no second window. Allow pop-ups for this page, and try again.')];
    }
    const second = { ready: false, state: '', prompts: 0, elsewhere: 0 };
    /** @param {MessageEvent} event */
    const hear = ({ source, origin, data }) => {
      if (source !== opened || origin !== location.origin) return;
      Object.assign(second, data);
      harness.recheck();
    };
    addEventListener('message', hear);
    try {
      return await play(harness, opened, second);
    } finally {
      removeEventListener('message', hear);
      opened.close();
    }
  },
};

/**
 * @param {import('./harness.js').AttackHarness} harness
 * @param {Window} opened
 * @param {SecondTab} second what the second tab tells of itself, as it comes
 */
async function play(harness, opened, second) {
  let decide = () => {};
  /** @type {Promise<void>} */
  const decision = new Promise((resolve) => {
    decide = resolve;
  });
  const leading = await harness.wallet('wallet', {
    tabs: 'one',
    onRequest: async (request) => {
      await decision;
      await request.approve();
    },
  });
  await harness.until('the second window', () => second.ready);
  opened.postMessage({ seed: leading.seed() }, location.origin);
  await harness.until('the second tab’s wallet', () => second.state === 'standby' || second.state === 'connected');
  harness.say('second tab', second.state === 'standby' ? 'stands by: this wallet is open in another tab.' : 'is connected too.');

  const answering = harness.ask(leading, 'Grant read access to ledger 7, until Friday');
  await harness.until('the second tab to hear of it', () => second.elsewhere > 0 || second.prompts > 0);
  const connections = await signerConnections(leading.publicKey, harness.token);
  harness.say(
    'second tab',
    second.prompts > 0 ? 'asks as well.' : 'says that a request waits in the other tab, and asks nothing.',
    second.prompts > 0 ? 'bad' : '',
  );
  decide();
  await answering;
  for (const [id, times] of harness.prompts) harness.prompts.set(id, times + second.prompts);
  return [
    tookPlace(second.ready, 'A second window had the same wallet open.'),
    {
      promise: true,
      ok: connections === 1,
      text: `The server knew ${connections === 1 ? 'one connection' : `${connections} connections`} of this wallet.`,
    },
    askedOnce(harness.prompts),
    allSigned(harness.answers),
    allEnded(harness.answers),
  ];
}
