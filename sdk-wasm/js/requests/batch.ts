import { Emitter } from '../common/emitter.js';
import type { CountersignError } from '../common/errors.js';
import { type Approval, type Outcome, outcomeOf, type Rejection, type SignRequest } from './request.js';

/**
 * Requests that a backend wants approved in one go, to be shown in one prompt. Beyond the prompt each is a request of its own:
 * `batch.requests[0].reject()` declines one and leaves the others.
 *
 * @example
 * ```js
 * wallet.on('batch', async (batch) => {
 *   show(batch.requester.name, batch.requests.map((request) => request.message));
 *   batch.displayed();
 *   if (await yes(batch.signal)) await batch.approve();
 *   else await batch.reject('not this time');
 * });
 * ```
 */
export class SignBatch {
  /** Names the batch on every device. */
  readonly id: string;
  /** Its requests, in the backend's order. */
  readonly requests: readonly SignRequest[];

  readonly #emitter = new Emitter<{ change: SignBatch }>();
  readonly #aborter = new AbortController();
  #isAnswered = false;

  private constructor(id: string, requests: readonly SignRequest[]) {
    this.id = id;
    this.requests = Object.freeze([...requests]);
    for (const request of requests) {
      request.signal.addEventListener('abort', () => this.#ended(request.signal.reason as CountersignError));
      request.on('change', () => this.#changed(request));
    }
  }

  /** @internal */
  static create(id: string, requests: readonly SignRequest[]): SignBatch {
    return new SignBatch(id, requests);
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'SignBatch';
  }

  /** Who asks: the name that the server's operator gave the backend. */
  get requester(): { readonly name: string } {
    return this.requests[0]?.requester ?? { name: '' };
  }

  /** Why, in the backend's own words, where it says the same of each request: a claim, not a fact. */
  get purpose(): string | undefined {
    const purpose = this.requests[0]?.purpose;
    return this.requests.every((request) => request.purpose === purpose) ? purpose : undefined;
  }

  /** Aborts when nothing is left to decide and nothing was answered here; its `reason` is a {@link CountersignError} that says why. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Calls `listener` whenever one of the requests changes, until the function returned is called. */
  on(event: 'change', listener: (batch: SignBatch) => void): () => void {
    return this.#emitter.on(event, listener);
  }

  /** Tells the backend that a human can see the requests. Once is enough. */
  displayed(): void {
    for (const request of this.requests) request.displayed();
  }

  /**
   * Approves all that are open. Resolves with what became of each, in the order of `requests`.
   *
   * @throws {CountersignError} `invalid_answer`: the call makes no sense.
   */
  approve(approval: Approval = {}): Promise<Outcome[]> {
    return this.#answer((request) => request.approve(approval));
  }

  /** Declines all that are open. Resolves as `approve()` does. */
  reject(rejection: string | Rejection = {}): Promise<Outcome[]> {
    return this.#answer((request) => request.reject(rejection));
  }

  #answer(answer: (request: SignRequest) => Promise<Outcome>): Promise<Outcome[]> {
    return Promise.all(this.requests.map((request) => (request.state === 'open' ? answer(request) : outcomeOf(request))));
  }

  #changed(request: SignRequest): void {
    this.#isAnswered ||= request.state === 'answered';
    this.#emitter.emit('change', this);
  }

  #ended(reason: CountersignError): void {
    if (!this.#isAnswered && this.requests.every((request) => request.state !== 'open')) this.#aborter.abort(reason);
  }
}
