import { signerConnections } from '../api.js';
import { allEnded, askedOnce, noneWrong, tookPlace } from './verdict.js';

const MESSAGE = 'Transfer 25.00 EUR to Grace Example, reference 2041';

/** @type {Attack} */
export const wrongKey = {
  id: 'wrong-key',
  title: 'Sign with the wrong key',
  summary: 'Somebody claims to be your wallet, and puts their own signature in place of yours.',
  why: 'A wallet is only known by a key that it has proven to hold, and only that key’s signature counts.',
  async run(harness) {
    /** @type {string | undefined} */
    let stolen;
    const victim = await harness.wallet('wallet', {
      rewrite: ({ frame, text }) => (stolen && frame.type === 'sign_response' ? JSON.stringify({ ...frame, signature: stolen }) : text),
    });

    harness.say('attacker', 'introduces a wallet of their own under your wallet’s key.');
    const impostor = await harness.wallet('attacker', {
      connects: false,
      rewrite: ({ frame, text }) => (frame.type === 'introduction' ? JSON.stringify({ ...frame, public_key: victim.publicKey }) : text),
    });
    const refusal = await impostor.connecting.then(
      () => null,
      ({ code }) => code,
    );
    const connections = await signerConnections(victim.publicKey, harness.token);

    harness.say('attacker', 'connects as themselves, and signs the same message with their own key.');
    const mallory = await harness.wallet('attacker');
    ({ signature: stolen } = await harness.ask(mallory, MESSAGE));
    const answer = await harness.ask(victim, MESSAGE);
    return [
      tookPlace(
        impostor.last('introduction')?.fate === 'altered' && victim.last('sign_response')?.fate === 'altered',
        'A key was claimed, and a signature put in place of another.',
      ),
      {
        promise: true,
        ok: refusal !== null && connections === 1,
        text: refusal === null ? 'The claim was believed.' : `The claim was refused (${refusal}), and the key is known once.`,
      },
      {
        promise: true,
        ok: !answer.signature,
        text: answer.signature ? 'The other key’s signature was accepted.' : 'The other key’s signature was not accepted.',
      },
      noneWrong(harness.answers),
      allEnded(harness.answers),
      askedOnce(harness.prompts),
    ];
  },
};
