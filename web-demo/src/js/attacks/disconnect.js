import { isRepeated } from '../wire/interceptor.js';
import { allEnded, allSigned, askedOnce, tookPlace } from './verdict.js';

/** @type {Attack} */
export const disconnect = {
  id: 'disconnect',
  title: 'Cut the connection',
  summary: 'The network breaks while you are being asked, and again between your answer and its receipt.',
  why: 'A request outlives a connection: the wallet comes back, knows it again, and sends again what it had answered.',
  async run(harness) {
    let cuts = 0;
    let losing = false;
    let decide = () => {};
    /** @type {Promise<void>} */
    const decision = new Promise((resolve) => {
      decide = resolve;
    });
    const victim = await harness.wallet('wallet', {
      rewrite: ({ frame, text }) => (losing && frame.type === 'response_ack' ? null : text),
      onRequest: async (request) => {
        if (cuts === 0) await decision;
        await request.approve();
      },
    });
    const cut = () => {
      cuts += 1;
      harness.say('attacker', 'cuts the connection.');
      victim.cut();
    };
    const welcomes = () => victim.all('welcome').length;
    /** @param {Fate} fate */
    const receipt = (fate) => victim.last('response_ack')?.fate === fate;

    const first = harness.ask(victim, 'Open the gate, visit 17');
    await harness.until('the wallet to ask', () => harness.prompts.size === 1);
    cut();
    await harness.until('the wallet to be back', () => isRepeated(victim.last('sign_request')?.frame));
    decide();
    await first;
    await harness.until('the receipt', () => receipt('passed'));

    losing = true;
    const second = harness.ask(victim, 'Open the gate, visit 18');
    await harness.until('a receipt that gets lost', () => receipt('dropped'));
    losing = false;
    cut();
    await harness.until('the answer to be sent again', () => welcomes() === 3 && receipt('passed'));
    await second;

    const answers = victim.all('sign_response').map(({ frame }) => frame);
    const again = answers.filter(({ request_id }) => request_id === answers.at(-1)?.request_id);
    const same = again.length > 1 && again.every(({ signature }) => signature === again[0].signature);
    return [
      tookPlace(cuts === 2 && welcomes() === 3, 'The connection was cut twice, and the wallet came back by itself.'),
      {
        promise: true,
        ok: same,
        text: same
          ? 'The answer whose receipt was lost was sent again, the very same.'
          : 'The answer whose receipt was lost was not sent again.',
      },
      allSigned(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};
