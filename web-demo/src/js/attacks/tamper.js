import { fromText, toBase64 } from '../bytes.js';
import { allEnded, askedOnce, noneWrong, nothingSigned, tookPlace } from './verdict.js';

const ASKED = 'Transfer 25.00 EUR to Grace Example, reference 2041';
const FORGED = 'Transfer 9900.00 EUR to Mallory Example, reference 2041';

/** @type {Attack} */
export const tamper = {
  id: 'tamper',
  title: 'Tamper with the message',
  summary: 'Somebody between server and wallet shows you another message than the backend asked for.',
  why: 'The server checks the signature over the bytes it has stored, never over what comes back.',
  async run(harness) {
    const first = await once(harness, { hides: false });
    harness.say('attacker', 'tries again, and this time puts the original back into the wallet’s answer.');
    const second = await once(harness, { hides: true });
    return [
      tookPlace(first && second, 'The wallet was shown another message, both times.'),
      nothingSigned(harness.answers),
      noneWrong(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};

/**
 * One request with a forged message; whether the forgery reached the wallet.
 *
 * @param {import('./harness.js').AttackHarness} harness
 * @param {{ hides: boolean }} options whether the original is put back into the answer
 */
async function once(harness, { hides }) {
  const victim = await harness.wallet('wallet', {
    rewrite({ frame, text }) {
      if (frame.type === 'sign_request') return JSON.stringify({ ...frame, message: toBase64(fromText(FORGED)) });
      if (hides && frame.type === 'sign_response') return JSON.stringify({ ...frame, message: toBase64(fromText(ASKED)) });
      return text;
    },
  });
  await harness.ask(victim, ASKED);
  // The backend's answer and the wallet's acknowledgement come by two ways, either of them first.
  if (victim.last('sign_request')) await harness.until('what the server tells the wallet', () => victim.last('response_ack'));
  return victim.last('sign_request')?.fate === 'altered';
}
