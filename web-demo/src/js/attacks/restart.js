import { demoInstance, restartServer } from '../api.js';
import { isRepeated } from '../wire/tap.js';
import { allEnded, allSigned, askedOnce, tookPlace } from './verdict.js';

const POLL_MS = 150;

/** @type {Attack} */
export const restart = {
  id: 'restart',
  title: 'Restart the server',
  summary: 'The server’s process ends while you are being asked, and another takes its place.',
  why: 'A request that has to outlive its caller is on disk before it is accepted. The wallet knows it again by its id.',
  async run(scene) {
    const before = await demoInstance();
    if (!before) {
      return [
        tookPlace(
          false,
          'This server cannot be restarted from the page. Do it by hand: ask with “Let it wait for the wallet”, press Ctrl-C in the terminal, and run “make demo” again before you approve.',
        ),
      ];
    }
    let decide = () => {};
    /** @type {Promise<void>} */
    const decision = new Promise((resolve) => {
      decide = resolve;
    });
    const victim = await scene.wallet('wallet', {
      onRequest: async (request) => {
        await decision;
        await request.approve();
      },
    });
    const { refused, end } = await scene.askDurably(victim, 'Release 1.4.2 of payments');
    if (refused) return [tookPlace(false, `The server keeps no requests (${refused.code}). Start it with --data-dir.`)];
    await scene.until('the wallet to ask', () => scene.prompts.size === 1);

    scene.say('attacker', 'has the server’s process end at once.');
    if (!(await restartServer())) return [tookPlace(false, 'The server refused to be restarted.')];
    const after = await nextInstance(before);
    scene.say('server', after ? `is another process: ${after} in place of ${before}.` : 'did not come back.');
    await scene.until('the wallet to be back', () => isRepeated(victim.last('sign_request')?.frame));
    decide();
    await end;
    return [
      tookPlace(Boolean(after), 'The process was gone, and all it had in memory.'),
      allSigned(scene.answers),
      allEnded(scene.answers),
      askedOnce(scene.prompts),
    ];
  },
};

/**
 * Which process answers once it is not `before`; null if none does in a while.
 *
 * @param {string} before
 */
async function nextInstance(before) {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const now = await demoInstance();
    if (now && now !== before) return now;
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
  return null;
}
