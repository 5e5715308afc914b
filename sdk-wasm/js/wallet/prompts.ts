import type { Emitter } from '../common/emitter.js';
import type { CountersignError } from '../common/errors.js';
import type { Policies } from '../policies/policies.js';
import type { Policy } from '../policies/policy.js';
import { SignBatch } from '../requests/batch.js';
import { type Actions, answered, type Details, ended, type Outcome, repeated, SignRequest } from '../requests/request.js';
import type { WalletEvents } from './events.js';

/** The requests of a wallet that are not over: asks the policies about them first, then whoever shows them. */
export class Prompts {
  readonly #actions: Actions;
  readonly #policies: Policies;
  readonly #emitter: Emitter<WalletEvents>;
  readonly #changed: () => void;
  readonly #requests = new Map<string, SignRequest>();
  /** The requests of a prompt that is not complete. */
  readonly #arriving: SignRequest[] = [];
  /** Nobody is to see these yet: a policy may approve them. */
  readonly #considered = new Set<SignRequest>();
  /** Whether it was told that the policies cannot be read. It is told once: each request would have the same to tell. */
  #isFailureTold = false;

  /** @param changed called when what {@link Prompts.list} answers has changed */
  constructor(actions: Actions, policies: Policies, emitter: Emitter<WalletEvents>, changed: () => void) {
    this.#actions = actions;
    this.#policies = policies;
    this.#emitter = emitter;
    this.#changed = changed;
  }

  /** Those that were told, in the order they came. */
  list(): SignRequest[] {
    return [...this.#requests.values()].filter((request) => !this.#considered.has(request));
  }

  /**
   * Takes in a request; `more` says that others of its prompt follow at once. With the last of a prompt comes a promise that resolves when they
   * were told.
   */
  add(details: Details, more: boolean): [SignRequest, Promise<void>?] {
    const request = SignRequest.create(details, this.#actions);
    this.#requests.set(request.id, request);
    this.#considered.add(request);
    this.#arriving.push(request);
    return more ? [request] : [request, this.#decide(this.#arriving.splice(0))];
  }

  repeated(id: string, attempt: number, expiresInMs: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined) repeated(request, attempt, expiresInMs);
    this.#changed();
  }

  answered(id: string): void {
    const request = this.#requests.get(id);
    if (request !== undefined) answered(request);
    this.#changed();
  }

  ended(requestId: string, state: Outcome['state'], error: CountersignError | undefined): void {
    const outcome = { state, ...(error !== undefined && { error }) } as Outcome;
    const request = this.#requests.get(requestId);
    this.#requests.delete(requestId);
    if (request !== undefined) ended(request, outcome);
    this.#emitter.emit('ended', { requestId, ...outcome });
    this.#changed();
  }

  async #decide(requests: SignRequest[]): Promise<void> {
    const policies = await this.#policies.spend(requests).catch((error: CountersignError) => {
      if (!this.#isFailureTold) this.#emitter.emit('error', error);
      this.#isFailureTold = true;
      return undefined;
    });
    for (const request of requests) this.#considered.delete(request);
    if (policies === undefined) this.#ask(requests.filter((request) => request.state === 'open'));
    else policies.forEach((policy, at) => this.#approve(requests[at], policy));
    this.#changed();
  }

  #approve(request: SignRequest | undefined, policy: Policy): void {
    // What it ends with is told by `ended`; that it may be over already, or answered, is nobody's fault.
    request?.approve({ approvedBy: `policy:${policy.id}` }).catch(() => {});
    // It may have ended while the policies were looked up.
    if (request?.state === 'open' || request?.state === 'answered') this.#emitter.emit('approved', { request, policy });
  }

  /** Hands over the requests of one prompt. */
  #ask(requests: SignRequest[]): void {
    const place = requests[0]?.batch;
    const isBatch = place !== undefined && (requests.length > 1 || !this.#emitter.has('request'));
    if (isBatch && this.#emitter.has('batch')) return this.#emitter.emit('batch', SignBatch.create(place.id, requests));
    for (const request of requests) {
      if (this.#emitter.has('request')) {
        this.#emitter.emit('request', request);
      } else if (request.state === 'open') {
        this.#actions.reject(request.id, 'policy_rejected', 'nothing here shows requests to anybody', 'device');
      }
    }
  }
}
