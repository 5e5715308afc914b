import type { Verify } from './ed25519.js';
import type { Requests } from './requests.js';
import { type Expected, resultOf, type Signed } from './verified-signature.js';
import type { RequestResource } from './wire.js';

/** A request that the server has written down. What is told of it is verified against what was sent. */
export class Submitted {
  /** Under this name it can be asked for by any process, with `wait`, `follow` and the others of the client. */
  readonly request_id: string;
  /** As it stood when it was accepted. */
  readonly request: RequestResource;
  readonly #requests: Requests;
  readonly #expected: Expected;
  readonly #verify: Verify;

  /** @internal */
  constructor(request: RequestResource, expected: Expected, requests: Requests, verify: Verify) {
    this.request_id = request.request_id;
    this.request = request;
    this.#requests = requests;
    this.#expected = expected;
    this.#verify = verify;
  }

  /** How it stands. */
  get(options: { signal?: AbortSignal | undefined } = {}): Promise<RequestResource> {
    return this.#requests.get(this.request_id, { ...options, expected: this.#expected });
  }

  /** How it stands when it has ended, or after so many seconds. */
  wait(options: { seconds?: number | undefined; signal?: AbortSignal | undefined } = {}): Promise<RequestResource> {
    return this.#requests.wait(this.request_id, { ...options, expected: this.#expected });
  }

  /** Each of its states once, as they come, to the last. */
  follow(options: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<RequestResource, void, undefined> {
    return this.#requests.follow(this.request_id, { ...options, expected: this.#expected });
  }

  /** Withdraws it. One that has ended stays as it is. */
  cancel(options: { signal?: AbortSignal | undefined } = {}): Promise<RequestResource> {
    return this.#requests.cancel(this.request_id, { ...options, expected: this.#expected });
  }

  /** How it ended, signed by the server: see `verifyReceipt`. */
  receipt(options: { signal?: AbortSignal | undefined } = {}): Promise<string> {
    return this.#requests.receipt(this.request_id, options);
  }

  /**
   * Its signature, when it has ended.
   *
   * @throws {CountersignError} why there is none
   */
  async result(options: { signal?: AbortSignal | undefined } = {}): Promise<Signed> {
    return resultOf(await this.wait(options), this.#expected, this.#verify);
  }
}
