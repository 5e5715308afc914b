import { demoServer, restartServer } from '../api.js';
import { pathToWallet } from '../cluster/nodes.js';
import { allEnded, allSigned, askedOnce, tookPlace } from './verdict.js';

const POLL_MS = 150;

/** @type {Attack} */
export const restart = {
  id: 'restart',
  title: 'Restart the server',
  summary: 'The server’s process ends while you are being asked, and another takes its place.',
  why: 'A request that has to outlive its caller is on disk before it is accepted. The wallet knows it again by its id.',
  async run(harness) {
    if (!(await demoServer())) {
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
    const victim = await harness.wallet('wallet', {
      onRequest: async (request) => {
        await decision;
        await request.approve();
      },
    });
    const { refused, end } = await harness.askDurably(victim, 'Release 1.4.2 of payments');
    if (refused) return [tookPlace(false, `The server keeps no requests (${refused.code}). Start it with --data-dir.`)];
    await harness.until('the wallet to ask', () => harness.prompts.size === 1);

    const path = await pathToWallet(victim.publicKey);
    const before = path === undefined ? null : await demoServer(path);
    if (!before) return [tookPlace(false, 'None of the servers has this wallet.')];
    harness.say('attacker', 'has the server’s process end at once.');
    if (!(await restartServer({ path }))) return [tookPlace(false, 'The server refused to be restarted.')];
    const after = await nextInstance(path, before.instance);
    harness.say('server', after ? `is another process: ${after} in place of ${before.instance}.` : 'did not come back.');
    await harness.until('the wallet to be back', () => victim.all('welcome').length > 1);
    decide();
    await end;
    return [
      tookPlace(Boolean(after), 'The process was gone, and all it had in memory.'),
      allSigned(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};

/**
 * Which process answers once it is not `before`; null if none does in a while.
 *
 * @param {string | undefined} path of the server
 * @param {string} before
 */
async function nextInstance(path, before) {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const now = await demoServer(path);
    if (now && now.instance !== before) return now.instance;
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
  return null;
}
