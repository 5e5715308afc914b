// The second window of an attack: the same wallet once more. It tells the page that opened it what it sees.
import { byId } from '../dom.js';
import { Key, Wallet } from '../sdk.js';

/** @type {Record<string, string>} */
const WORDS = {
  standby: 'This wallet is open in another tab. Requests are shown there, so that you are asked once.',
  connected: 'Connected.',
  closed: 'Closed.',
};

/** @type {SecondTab} */
const seen = { ready: true, state: '', prompts: 0, elsewhere: 0 };

/** @param {Partial<SecondTab>} news */
function tell(news) {
  Object.assign(seen, news);
  byId('state').textContent = WORDS[seen.state] ?? 'Starting…';
  byId('waiting').textContent = seen.elsewhere > 0 ? 'A request waits there.' : '';
  opener?.postMessage(seen, location.origin);
}

addEventListener(
  'message',
  async ({ source, origin, data }) => {
    if (source !== opener || origin !== location.origin || !(data?.seed instanceof Uint8Array)) return;
    const wallet = new Wallet({ key: await Key.fromSeed(data.seed), store: false });
    wallet.on('state', ({ state }) => tell({ state }));
    wallet.on('elsewhere', ({ length }) => tell({ elsewhere: length }));
    wallet.on('request', (request) => {
      request.displayed();
      tell({ prompts: seen.prompts + 1 });
    });
    wallet.connect().catch(({ code }) => tell({ state: code }));
  },
  { once: true },
);

tell({});
