import { fromText, toBase64 } from '../bytes.js';
import { allEnded, askedOnce, noneWrong, tookPlace } from './verdict.js';

const FIRST = 'Transfer 25.00 EUR to Grace Example, reference 2041';
const SECOND = 'Transfer 25.00 EUR to Grace Example, reference 2042';

/** @type {Attack} */
export const replay = {
  id: 'replay',
  title: 'Replay an earlier answer',
  summary: 'Somebody has kept an answer of yours, and sends it again for the next request.',
  why: 'An answer counts for one request only, and its signature for that request’s message only.',
  async run(harness) {
    /** @type {import('countersign').SignRequest | undefined} */
    let undecided;
    const victim = await harness.wallet('wallet', {
      async onRequest(request) {
        if (new TextDecoder().decode(request.message) === FIRST) return request.approve();
        undecided = request;
        harness.recheck();
        return undefined;
      },
    });
    const first = await harness.ask(victim, FIRST);
    const kept = victim.last('sign_response')?.text ?? '';
    harness.say('attacker', 'has kept this answer.');

    const acks = () => victim.all('response_ack').map(({ frame }) => frame);
    const answering = harness.ask(victim, SECOND);
    const { id } = await harness.until('the next request', () => undecided);
    const seen = acks().length;
    victim.inject(kept);
    await harness.until('what the server says', () => acks().length > seen);
    const stillOpen = harness.answers.length === 1;
    harness.say('backend', stillOpen ? 'still waits for its second signature.' : 'has been answered.', stillOpen ? '' : 'bad');

    victim.inject(JSON.stringify({ ...JSON.parse(kept), request_id: id, message: toBase64(fromText(SECOND)) }));
    const second = await answering;
    return [
      tookPlace(
        first.valid && victim.frames.filter(({ fate }) => fate === 'injected').length === 2,
        'An answer that had been accepted was sent twice more.',
      ),
      {
        promise: true,
        ok: stillOpen,
        text: stillOpen ? 'As it was, it answered nothing but the request it was for.' : 'The old answer ended the new request.',
      },
      {
        promise: true,
        ok: !second.signature,
        text: second.signature ? 'Under the new request’s name it was accepted.' : 'Under the new request’s name it was refused.',
      },
      noneWrong(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};
