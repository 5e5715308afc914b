import type { Outcome } from '../requests/request.js';
import type { Answer, EndOfAnswer, EndOfOpen } from './test-answers.js';

/** Whoever is told how far requests have come, as the core of a wallet tells it. */
export interface RequestsHost {
  answered(id: string): void;
  ended(id: string, state: Outcome['state'], code: string, message: string): void;
}

interface Entry {
  readonly onAnswer: EndOfAnswer | 'pending';
  answer: Answer | undefined;
  isDisplayed: boolean;
  isOver: boolean;
}

type End = EndOfOpen | EndOfAnswer | 'declined' | 'closed';

/** The core's own sentences. */
const MESSAGES: Record<Exclude<End, 'accepted' | 'declined'>, string> = {
  cancelled: 'the requester withdrew the request',
  expired: "the request's time ran out before it was answered",
  answered_elsewhere: 'another device with this key answered the request',
  late: 'the signature was not used: the requester had stopped waiting',
  unconfirmed: 'the connection broke while the answer was under way: whether the signature was used is not known',
  bad_signature: 'the server refused the signature: it does not hold over the message',
  message_mismatch: 'the server refused the answer: it is about another message',
  unknown_request: 'the server does not know this request',
  signer_failed: 'the signer gave no signature: it was told to fail',
  closed: 'the wallet was closed',
};

const CODES = ['user_rejected', 'policy_rejected', 'locked', 'unsupported'];

/** The requests that a test has made, and what becomes of them: the rules of the core, without connection, store and clock. */
export class TestRequests {
  readonly #host: RequestsHost;
  readonly #entries = new Map<string, Entry>();

  constructor(host: RequestsHost) {
    this.#host = host;
  }

  add(id: string, onAnswer: EndOfAnswer | 'pending'): void {
    if (this.#entries.has(id)) throw new TypeError(`there is a request ${id} already`);
    this.#entries.set(id, { onAnswer, answer: undefined, isDisplayed: false, isOver: false });
  }

  /** What was answered; undefined until then. */
  answerOf(id: string): Answer | undefined {
    return this.#entries.get(id)?.answer;
  }

  wasDisplayed(id: string): boolean {
    return this.#entries.get(id)?.isDisplayed === true;
  }

  approve(id: string, approvedBy: string): void {
    const entry = this.#undecided(id);
    if (!/^(human|policy:[\w.-]{1,64})$/.test(approvedBy)) throw "invalid_answer answer: approvedBy is 'human' or 'policy:' and an id";
    this.#answer(id, entry, { approvedBy }, entry.onAnswer);
  }

  reject(id: string, code: string, reason: string | undefined, scope: string): void {
    const entry = this.#undecided(id);
    if (!CODES.includes(code) || (scope !== 'key' && scope !== 'device')) throw 'invalid_answer answer: no such code or scope';
    if (reason !== undefined && (new TextEncoder().encode(reason).length > 256 || /\p{Cc}/u.test(reason))) {
      throw 'invalid_answer answer: a reason has at most 256 bytes and no control characters';
    }
    this.#answer(id, entry, { code, reason, scope }, entry.onAnswer === 'pending' ? 'pending' : 'declined');
  }

  displayed(id: string): void {
    this.#undecided(id).isDisplayed = true;
  }

  /** Ends one request. False where it is over, or answered and this no end of an answer, or the other way round. */
  end(id: string, end: End): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.isOver) return false;
    const isEndOfOpen = end === 'cancelled' || end === 'expired' || end === 'answered_elsewhere';
    if (end !== 'closed' && isEndOfOpen !== (entry.answer === undefined)) return false;
    const isRefused = entry.answer?.code !== undefined;
    if (end === 'declined' && !isRefused) return false;
    entry.isOver = true;
    // What was declined gave no signature, whatever became of it.
    const told = isRefused ? 'declined' : end;
    if (told === 'accepted' || told === 'declined') this.#host.ended(id, told, '', '');
    else if (isEndOfOpen || told === 'late') this.#host.ended(id, told as 'late', told, MESSAGES[told]);
    else this.#host.ended(id, 'failed', told, MESSAGES[told]);
    return true;
  }

  endAll(end: 'closed'): void {
    for (const id of this.#entries.keys()) this.end(id, end);
  }

  #undecided(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.isOver) throw 'not_open this request is no longer open';
    if (entry.answer !== undefined) throw 'already_answered this request was answered before';
    return entry;
  }

  #answer(id: string, entry: Entry, answer: Answer, end: EndOfAnswer | 'declined' | 'pending'): void {
    entry.answer = answer;
    this.#host.answered(id);
    // Later, as an acknowledgement comes, so that a prompt is seen in between; and not by a timer, which a test may have stopped.
    if (end !== 'pending') queueMicrotask(() => this.end(id, end));
  }
}
