import { allEnded, askedOnce, nothingSigned, tookPlace } from './verdict.js';

/** @type {Attack} */
export const withdraw = {
  id: 'withdraw',
  title: 'Withdraw while away',
  summary: 'Your network breaks while you are being asked, and before it is back the backend stops waiting.',
  why: 'A wallet that comes back says what it still shows, and the server takes back what is over: nobody decides about it in vain.',
  async run(harness) {
    /** @type {Promise<unknown> | undefined} */
    let approval;
    let decide = () => {};
    /** @type {Promise<void>} */
    const decision = new Promise((resolve) => {
      decide = resolve;
    });
    let isOpen = () => true;
    const victim = await harness.wallet('wallet', {
      onRequest: async (request) => {
        isOpen = () => request.state === 'open';
        request.on('change', harness.recheck);
        await decision;
        approval = request.approve();
        await approval;
      },
    });
    const patience = new AbortController();
    const asked = harness.ask(victim, 'Sell 100 shares at 12 EUR', patience.signal);
    await harness.until('the wallet to ask', () => harness.prompts.size === 1);
    harness.say('attacker', 'cuts the connection.');
    victim.cut();
    patience.abort();
    await asked;
    await harness.until('the wallet to be back', () => victim.all('welcome').length === 2);
    await harness.until('the request to be taken back', () => victim.last('request_cancel') && !isOpen());
    const cause = victim.last('request_cancel')?.frame.cause;
    harness.say('server', `takes the request back: ${cause}.`);
    harness.say('wallet', 'closes the prompt.');
    // A human who was quicker than that.
    decide();
    await approval;
    return [
      tookPlace(victim.all('welcome').length === 2, 'The connection was cut, and the backend gave up before the wallet was back.'),
      {
        promise: true,
        ok: cause === 'cancelled' && victim.all('sign_response').length === 0,
        text: cause === 'cancelled' ? 'The prompt was closed, and said why.' : 'The prompt stayed open.',
      },
      nothingSigned(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};
