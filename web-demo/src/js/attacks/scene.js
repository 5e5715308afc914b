import { sendToSign } from '../api.js';
import { fromText, toBase64 } from '../bytes.js';
import { followRequest } from '../durable.js';
import { checkSignature } from '../verify.js';
import { standIn } from './stand-in.js';

const PATIENCE_MS = 15_000;
const CALL_MS = 30_000;

/**
 * Where an attack plays: wallets with fresh keys that approve what they are shown, and a backend. Writes down what it sees.
 *
 * @param token     the bearer token, or empty
 * @param onStep    called with { who, text, tone } for each thing that is seen
 * @param onFrame   called with each frame of these wallets, and what they are called in the log
 */
export function scene({ token, onStep, onFrame }) {
  const wallets = [];
  const answers = [];
  const prompts = new Map();
  const numbers = new Map();
  const waiting = new Set();
  const ended = new AbortController();

  /** Something has happened: whoever waits for something looks again. */
  const stir = () => waiting.forEach((look) => look());
  const say = (who, text, tone = '') => onStep({ who, text, tone });
  /** What a request is called here: its id says nothing to a reader. */
  const nameOf = (id) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return `request ${numbers.get(id)}`;
  };

  async function judged({ publicKey, contents }, { kind, status, body }) {
    const signature = kind === 'signed' ? body.signature : undefined;
    const valid = signature ? (await checkSignature(publicKey, contents, signature)).valid : false;
    const answer = { kind, signature, valid, code: body?.code, body };
    answers.push(answer);
    const words = {
      signed: valid ? 'gets a signature, and it verifies.' : 'gets a signature that does not verify.',
      unreachable: 'gets no answer at all.',
      cancelled: 'has stopped waiting.',
    };
    say(
      'backend',
      words[kind] ?? `gets ${status ? `${status} ` : ''}${body.code}: ${body.detail}.`,
      kind === 'signed' && valid ? 'good' : kind === 'signed' ? 'bad' : '',
    );
    stir();
    return answer;
  }

  const call = (wallet, text) => {
    const contents = fromText(text);
    say('backend', `asks for a signature over “${text}”.`);
    return {
      publicKey: wallet.publicKey,
      contents,
      body: { public_key: wallet.publicKey, message: toBase64(contents), timeout_ms: CALL_MS },
    };
  };

  return {
    say,
    token,
    answers,
    prompts,
    /** A wallet that is connected. `options` as of `standIn`. */
    async wallet(name, options = {}) {
      const made = await standIn(name, {
        ...options,
        say,
        nameOf,
        onFrame: (event) => {
          onFrame(event, 'attack');
          stir();
        },
        onState: stir,
        onPrompt: (id) => {
          prompts.set(id, (prompts.get(id) ?? 0) + 1);
          stir();
        },
      });
      wallets.push(made);
      return made;
    },
    /** The backend asks; resolves with what it got, signature checked: { signature, valid, code, body }. */
    async ask(wallet, text) {
      const asked = call(wallet, text);
      return judged(asked, await sendToSign(asked.body, { token, signal: ended.signal }));
    },
    /** The backend asks, and has the request written down. Resolves with its id and the promise of its end, or with what was answered instead. */
    async askDurably(wallet, text) {
      const asked = call(wallet, text);
      const outcome = await sendToSign({ ...asked.body, queue: true }, { durable: true, token, signal: ended.signal });
      if (outcome.kind !== 'accepted') return { refused: await judged(asked, outcome) };
      const [{ request_id: id }] = outcome.requests;
      const follow = async () => {
        const last = await followRequest(id, { token, signal: ended.signal, onNews: stir, onLost: stir });
        return judged(asked, last.signature ? { kind: 'signed', body: last } : { kind: 'problem', body: last.error });
      };
      const end = follow();
      // Whoever has given up does not wait for it.
      end.catch(() => {});
      return { id, end };
    },
    /** Waits until `condition` gives something true, and gives that. It is looked at whenever something has happened. */
    until(what, condition) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`Waited in vain for ${what}.`));
        }, PATIENCE_MS);
        const look = () => {
          const value = condition();
          if (!value) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(value);
        };
        waiting.add(look);
        look();
      });
    },
    stir,
    /** Lets go of everything. */
    close() {
      ended.abort();
      wallets.forEach((wallet) => wallet.close());
    },
  };
}
