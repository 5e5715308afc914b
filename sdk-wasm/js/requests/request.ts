import type { Bytes } from '../common/bytes.js';
import { Emitter } from '../common/emitter.js';
import { type CountersignError, callCore } from '../common/errors.js';

/**
 * How far a request has come. It starts `open`; with `approve()` or `reject()` it is `answered` until the server acknowledges.
 * All others are final: `accepted` (the signature was used), `declined`, and what their names say; `failed` stands for every
 * other reason, given by the error of its {@link Outcome}.
 */
export type RequestState =
  | 'open'
  | 'answered'
  | 'accepted'
  | 'declined'
  | 'cancelled'
  | 'expired'
  | 'answered_elsewhere'
  | 'late'
  | 'failed';

/** What became of a request, once that is certain. */
export type Outcome = Settled<'accepted'> | Settled<'declined'> | Unused;

/** It ended as this wallet had answered. */
export interface Settled<State extends 'accepted' | 'declined'> {
  /** `accepted`: the signature was used. `declined`: this wallet declined. */
  readonly state: State;
  readonly error?: undefined;
}

/** No signature of this wallet was used, or it is not known. */
export interface Unused {
  readonly state: Exclude<RequestState, 'open' | 'answered' | 'accepted' | 'declined'>;
  /**
   * Why: `late` (the requester had stopped waiting), `cancelled`, `expired`, `answered_elsewhere`; with `failed`: `bad_signature`,
   * `message_mismatch`, `unknown_request`, `signer_failed`, `key_freed`, `closed`, `superseded` (another tab goes on with it), or `unconfirmed` (the
   * connection broke, or the server has forgotten the request, and whether the signature was used is not known).
   */
  readonly error: CountersignError;
}

/** Why a wallet declines. */
export interface Rejection {
  /** For programs; `user_rejected` unless given. */
  code?: 'user_rejected' | 'policy_rejected' | 'locked' | 'unsupported';
  /** For people, at most 256 bytes without control characters. */
  reason?: string;
  /** `key` (the default): no device of this key will sign. `device`: only this one will not. */
  scope?: 'key' | 'device';
}

/** How a request was approved. */
export interface Approval {
  /** `human` unless given: the id of the rule that a human had granted. */
  approvedBy?: 'human' | `policy:${string}`;
}

/** A request's place in a batch, as it was last delivered. */
export interface BatchPlace {
  /** Names the batch on every device. */
  readonly id: string;
  /** The request's place, from 0. */
  readonly index: number;
  /** How many requests of the batch were delivered together. */
  readonly size: number;
}

/** @internal */
export interface Actions {
  approve(id: string, approvedBy: string): void;
  reject(id: string, code: string, reason: string | undefined, scope: string): void;
  displayed(id: string): void;
}

/** @internal */
export interface Details {
  id: string;
  message: Bytes;
  requester: string;
  purpose: string | undefined;
  attempt: number;
  expiresInMs: number;
  resumed: boolean;
  batch: BatchPlace | undefined;
}

/** @internal */
export let repeated: (request: SignRequest, attempt: number, expiresInMs: number) => void;
/** @internal */
export let answered: (request: SignRequest) => void;
/** @internal */
export let ended: (request: SignRequest, outcome: Outcome) => void;
/** What becomes of a request, whoever answers it. @internal */
export let outcomeOf: (request: SignRequest) => Promise<Outcome>;

/** A backend's request for one signature. */
export class SignRequest {
  /** Names the request on every device and in the backend's log. */
  readonly id: string;
  /** A copy of the bytes to be signed; what is signed is the wallet's own copy. */
  readonly message: Bytes;
  /** Who asks: the name that the server's operator gave the backend. */
  readonly requester: { readonly name: string };
  /** Why, in the backend's own words: a claim, not a fact. */
  readonly purpose: string | undefined;
  /** Whether it was shown before, by a page or process that ended before anybody decided. It is to be shown again. */
  readonly resumed: boolean;
  /** Its place among requests that belong together, if it came with others. See {@link SignBatch}. */
  readonly batch: BatchPlace | undefined;

  readonly #actions: Actions;
  readonly #emitter = new Emitter<{ change: SignRequest }>();
  readonly #aborter = new AbortController();
  readonly #waiters: ((outcome: Outcome) => void)[] = [];
  #attempt: number;
  #expiresAt = 0;
  /** The same by the clock that nobody sets. */
  #deadline = 0;
  #state: RequestState = 'open';
  #outcome: Outcome | undefined;

  static {
    repeated = (request, attempt, expiresInMs) => {
      request.#attempt = attempt;
      request.#expireIn(expiresInMs);
      request.#changed();
    };
    answered = (request) => {
      request.#state = 'answered';
      request.#changed();
    };
    ended = (request, outcome) => request.#end(outcome);
    outcomeOf = async (request) => request.#outcome ?? new Promise((resolve) => request.#waiters.push(resolve));
  }

  private constructor(details: Details, actions: Actions) {
    this.id = details.id;
    this.message = details.message;
    this.requester = Object.freeze({ name: details.requester });
    this.purpose = details.purpose;
    this.resumed = details.resumed;
    this.batch = details.batch && Object.freeze(details.batch);
    this.#attempt = details.attempt;
    this.#expireIn(details.expiresInMs);
    this.#actions = actions;
  }

  /** @internal */
  static create(details: Details, actions: Actions): SignRequest {
    return new SignRequest(details, actions);
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'SignRequest';
  }

  /** 1 at first, one more each time the server delivers the request again. */
  get attempt(): number {
    return this.#attempt;
  }

  /** When the request expires, in milliseconds as `Date.now()` counts them. */
  get expiresAt(): number {
    return this.#expiresAt;
  }

  /** Milliseconds until it expires; never negative. */
  get remainingMs(): number {
    return Math.max(0, Math.min(this.#expiresAt - Date.now(), this.#deadline - performance.now()));
  }

  /** How far it has come. */
  get state(): RequestState {
    return this.#state;
  }

  /** Aborts when the request ends before it was answered here; its `reason` is a {@link CountersignError} that says why. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Calls `listener` whenever `state`, `attempt` or `expiresAt` changes, until the function returned is called. */
  on(event: 'change', listener: (request: SignRequest) => void): () => void {
    return this.#emitter.on(event, listener);
  }

  /** Tells the backend that a human can see the request. Once is enough. */
  displayed(): void {
    if (this.#state === 'open') callCore(() => this.#actions.displayed(this.id));
  }

  /**
   * Signs the message and sends the signature, now or when the connection is back. Where the wallet has a store, the answer is
   * written there first, and sent again after a reload. Resolves with what became of it, also where that is nothing: a requester that hangs up
   * is no error of yours.
   *
   * @example
   * ```js
   * const { state } = await request.approve();
   * if (state === 'late') alert('The signature was not used: nobody waited for it any more.');
   * ```
   * @throws {CountersignError} `already_answered`, `invalid_answer`: the call makes no sense.
   */
  approve(approval: Approval = {}): Promise<Outcome> {
    return this.#answer(() => this.#actions.approve(this.id, approval.approvedBy ?? 'human'));
  }

  /**
   * Declines. Resolves with what became of it when the server knows, or when it no longer matters.
   *
   * @throws {CountersignError} as `approve()`.
   */
  reject(rejection: string | Rejection = {}): Promise<Outcome> {
    const { code = 'user_rejected', reason, scope = 'key' } = typeof rejection === 'string' ? { reason: rejection } : rejection;
    return this.#answer(() => this.#actions.reject(this.id, code, reason, scope));
  }

  #expireIn(ms: number): void {
    this.#expiresAt = Date.now() + ms;
    this.#deadline = performance.now() + ms;
  }

  async #answer(act: () => void): Promise<Outcome> {
    const failure = this.#failure();
    if (failure !== undefined) return failure;
    let waiter: (outcome: Outcome) => void = () => {};
    const outcome = new Promise<Outcome>((resolve) => {
      waiter = resolve;
    });
    this.#waiters.push(waiter);
    try {
      callCore(act);
    } catch (error) {
      this.#waiters.splice(this.#waiters.indexOf(waiter) >>> 0, 1);
      // It may have run out at this very call.
      const meanwhile = this.#failure();
      if (meanwhile !== undefined) return meanwhile;
      throw error;
    }
    return outcome;
  }

  /** The outcome, where there is nothing to answer any more. */
  #failure(): Outcome | undefined {
    return this.#outcome?.error === undefined ? undefined : this.#outcome;
  }

  #end(outcome: Outcome): void {
    const { state, error } = outcome;
    const undecided = this.#state === 'open';
    this.#state = state;
    this.#outcome = Object.freeze(outcome);
    for (const waiter of this.#waiters.splice(0)) waiter(outcome);
    if (undecided && error !== undefined) this.#aborter.abort(error);
    this.#changed();
  }

  #changed(): void {
    this.#emitter.emit('change', this);
  }
}
