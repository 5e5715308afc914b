import { sendDurably, sendToSign } from '../api.js';
import { fromText, toBase64 } from '../bytes.js';
import { followRequest } from '../durable.js';
import { checkSignature } from '../verify.js';
import { ephemeralWallet } from './ephemeral-wallet.js';

const PATIENCE_MS = 15_000;
const CALL_MS = 30_000;

/**
 * What an attack runs in: wallets with fresh keys that approve what they are shown, and a backend. Writes down what it sees.
 *
 * @typedef {ReturnType<typeof attackHarness>} AttackHarness
 * @param {object} options
 * @param {string} options.token the bearer token, or empty
 * @param {(step: Step) => void} options.onStep called for each thing that is seen
 * @param {(event: FrameSeen, whose: string) => void} options.onFrame called with each frame of these wallets, and what they are called in the log
 */
export function attackHarness({ token, onStep, onFrame }) {
  /** @type {EphemeralWallet[]} */
  const wallets = [];
  /** @type {JudgedAnswer[]} */
  const answers = [];
  /** @type {Map<string, number>} */
  const prompts = new Map();
  /** @type {Map<string, number>} */
  const numbers = new Map();
  /** @type {Set<() => void>} */
  const waiting = new Set();
  const ended = new AbortController();

  /** Something has happened: whoever waits for something looks again. */
  const recheck = () => waiting.forEach((look) => look());
  /**
   * @param {string} who
   * @param {string} text
   * @param {Step['tone']} tone
   */
  const say = (who, text, tone = '') => onStep({ who, text, tone });
  /**
   * What a request is called here: its id says nothing to a reader.
   *
   * @param {string} id
   */
  const nameOf = (id) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return `request ${numbers.get(id)}`;
  };

  /**
   * @param {Call} asked
   * @param {Answered} answered
   */
  async function judged({ publicKey, contents }, answered) {
    const { kind } = answered;
    const signature = answered.kind === 'signed' ? answered.body.signature : undefined;
    const valid = signature ? (await checkSignature(publicKey, contents, signature)).valid : false;
    const code = answered.kind === 'problem' ? answered.body.code : answered.kind === 'cancelled' ? 'cancelled' : undefined;
    const answer = { kind, signature, valid, code };
    answers.push(answer);
    say('backend', whatIsGot(answered, valid), kind === 'signed' && valid ? 'good' : kind === 'signed' ? 'bad' : '');
    recheck();
    return answer;
  }

  /**
   * @param {EphemeralWallet} wallet
   * @param {string} text
   * @returns {Call}
   */
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
    /**
     * A wallet that is connected.
     *
     * @param {string} name
     * @param {import('./ephemeral-wallet.js').EphemeralWalletOptions} options
     */
    async wallet(name, options = {}) {
      const made = await ephemeralWallet(name, {
        ...options,
        say,
        nameOf,
        onFrame: (event) => {
          onFrame(event, 'attack');
          recheck();
        },
        onState: recheck,
        onPrompt: (id) => {
          prompts.set(id, (prompts.get(id) ?? 0) + 1);
          recheck();
        },
      });
      wallets.push(made);
      return made;
    },
    /**
     * The backend asks; resolves with what it got, signature checked.
     *
     * @param {EphemeralWallet} wallet
     * @param {string} text
     * @param {AbortSignal} [patience] aborted when it stops waiting
     */
    async ask(wallet, text, patience = ended.signal) {
      const asked = call(wallet, text);
      const signal = AbortSignal.any([ended.signal, patience]);
      return judged(asked, single(await sendToSign(asked.body, { token, signal })));
    },
    /**
     * The backend asks, and has the request written down. Resolves with the promise of its end, or with what was answered instead.
     *
     * @param {EphemeralWallet} wallet
     * @param {string} text
     */
    async askDurably(wallet, text) {
      const asked = call(wallet, text);
      const outcome = await sendDurably({ ...asked.body, queue: true }, { token, signal: ended.signal, onLost: recheck });
      if (outcome.kind !== 'accepted') return { refused: await judged(asked, single(outcome)) };
      const id = outcome.requests[0]?.request_id ?? '';
      const follow = async () => {
        const last = await followRequest(id, { token, signal: ended.signal, onNews: recheck, onLost: recheck });
        return judged(asked, endOf(last));
      };
      const end = follow();
      // Whoever has given up does not wait for it.
      end.catch(() => {});
      return { end };
    },
    /**
     * Waits until `condition` gives something true, and gives that. It is looked at whenever something has happened.
     *
     * @template Value
     * @param {string} what
     * @param {() => Value} condition
     * @returns {Promise<NonNullable<Value>>}
     */
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
    recheck,
    /** Lets go of everything. */
    close() {
      ended.abort();
      wallets.forEach((wallet) => wallet.close());
    },
  };
}

/**
 * @typedef {import('./ephemeral-wallet.js').EphemeralWallet} EphemeralWallet
 * @typedef {{ publicKey: string, contents: Uint8Array<ArrayBuffer>, body: CallBody }} Call
 * @typedef {{ kind: 'signed', body: { signature: string } }} SignedAnswer
 * @typedef {{ kind: 'problem', status?: number, body: ApiProblem }} ProblemAnswer
 * @typedef {SignedAnswer | ProblemAnswer | { kind: 'cancelled' | 'unreachable' }} Answered
 */

/**
 * @param {Answered} answered
 * @param {boolean} valid
 */
function whatIsGot(answered, valid) {
  switch (answered.kind) {
    case 'signed':
      return valid ? 'gets a signature, and it verifies.' : 'gets a signature that does not verify.';
    case 'problem':
      return `gets ${answered.status ? `${answered.status} ` : ''}${answered.body.code}: ${answered.body.detail}.`;
    case 'unreachable':
      return 'gets no answer at all.';
    case 'cancelled':
      return 'has stopped waiting.';
  }
}

/**
 * What came of a call that asked for one signature, and to wait for it.
 *
 * @param {Outcome} outcome
 * @returns {Answered}
 */
function single(outcome) {
  if (outcome.kind === 'accepted' || outcome.kind === 'ended') return endOf(outcome.requests[0]);
  return outcome;
}

/**
 * How a request that was written down ended.
 *
 * @param {ApiRequest | undefined} last
 * @returns {Answered}
 */
function endOf(last) {
  if (last?.signature) return { kind: 'signed', body: { signature: last.signature } };
  return { kind: 'problem', body: last?.error ?? { code: 'no_reason', detail: 'The server gave no reason' } };
}
