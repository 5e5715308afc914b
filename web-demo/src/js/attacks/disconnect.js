import { isRepeated } from '../wire/tap.js';
import { allEnded, allSigned, askedOnce, tookPlace } from './verdict.js';

/** @type {Attack} */
export const disconnect = {
  id: 'disconnect',
  title: 'Cut the connection',
  summary: 'The network breaks while you are being asked, and again between your answer and its receipt.',
  why: 'A request outlives a connection: the wallet comes back, knows it again, and sends again what it had answered.',
  async run(scene) {
    let cuts = 0;
    let losing = false;
    let decide = () => {};
    /** @type {Promise<void>} */
    const decision = new Promise((resolve) => {
      decide = resolve;
    });
    const victim = await scene.wallet('wallet', {
      rewrite: ({ frame, text }) => (losing && frame.type === 'response_ack' ? null : text),
      onRequest: async (request) => {
        if (cuts === 0) await decision;
        await request.approve();
      },
    });
    const cut = () => {
      cuts += 1;
      scene.say('attacker', 'cuts the connection.');
      victim.cut();
    };
    const welcomes = () => victim.all('welcome').length;
    /** @param {Fate} fate */
    const receipt = (fate) => victim.last('response_ack')?.fate === fate;

    const first = scene.ask(victim, 'Open the gate, visit 17');
    await scene.until('the wallet to ask', () => scene.prompts.size === 1);
    cut();
    await scene.until('the wallet to be back', () => isRepeated(victim.last('sign_request')?.frame));
    decide();
    await first;
    await scene.until('the receipt', () => receipt('passed'));

    losing = true;
    const second = scene.ask(victim, 'Open the gate, visit 18');
    await scene.until('a receipt that gets lost', () => receipt('dropped'));
    losing = false;
    cut();
    await scene.until('the answer to be sent again', () => welcomes() === 3 && receipt('passed'));
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
      allSigned(scene.answers),
      allEnded(scene.answers),
      askedOnce(scene.prompts),
    ];
  },
};
