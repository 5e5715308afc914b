import { Emitter } from '../common/emitter.js';
import { type CountersignError, guarded } from '../common/errors.js';

/**
 * How far a request has come. It starts `open`; with `approve()` or `reject()` it is `answered` until the server acknowledges.
 * All others are final: `accepted` (the signature was used), `declined`, and what their names say; `failed` stands for every
 * other reason, given by the error of `approve()`.
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
  message: Uint8Array;
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
export let ended: (request: SignRequest, state: RequestState, error: CountersignError | undefined) => void;

interface Waiter {
  resolve(): void;
  reject(error: CountersignError): void;
}

/** A backend's request for one signature. */
export class SignRequest {
  /** Names the request on every device and in the backend's log. */
  readonly id: string;
  /** A copy of the bytes to be signed; what is signed is the wallet's own copy. */
  readonly message: Uint8Array;
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
  readonly #waiters: Waiter[] = [];
  #attempt: number;
  #expiresAt: number;
  #state: RequestState = 'open';
  #error: CountersignError | undefined;

  static {
    repeated = (request, attempt, expiresInMs) => {
      request.#attempt = attempt;
      request.#expiresAt = Date.now() + expiresInMs;
      request.#changed();
    };
    answered = (request) => {
      request.#state = 'answered';
      request.#changed();
    };
    ended = (request, state, error) => request.#end(state, error);
  }

  private constructor(details: Details, actions: Actions) {
    this.id = details.id;
    this.message = details.message;
    this.requester = Object.freeze({ name: details.requester });
    this.purpose = details.purpose;
    this.resumed = details.resumed;
    this.batch = details.batch && Object.freeze(details.batch);
    this.#attempt = details.attempt;
    this.#expiresAt = Date.now() + details.expiresInMs;
    this.#actions = actions;
  }

  /** @internal */
  static create(details: Details, actions: Actions): SignRequest {
    return new SignRequest(details, actions);
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
    return Math.max(0, this.#expiresAt - Date.now());
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
    if (this.#state === 'open') guarded(() => this.#actions.displayed(this.id));
  }

  /**
   * Signs the message and sends the signature, now or when the connection is back. Where the wallet has a store, the answer is
   * written there first, and sent again after a reload. Resolves when the server has accepted it.
   *
   * @example
   * ```js
   * try {
   *   await request.approve();
   * } catch (error) {
   *   if (error instanceof CountersignError && error.code === 'late') alert('The signature was not used: nobody waited for it any more.');
   *   else throw error;
   * }
   * ```
   * @throws {CountersignError} `late` (not used: the requester had stopped waiting), `cancelled`, `expired`, `answered_elsewhere`,
   *   `already_answered`, `bad_signature`, `message_mismatch`, `unknown_request`, `key_freed`, `closed`, or `unconfirmed` (the
   *   connection broke, or the server has forgotten the request, and whether the signature was used is not known).
   */
  approve(approval: Approval = {}): Promise<void> {
    return this.#answer(() => this.#actions.approve(this.id, approval.approvedBy ?? 'human'));
  }

  /**
   * Declines. Resolves when the server knows, or when it no longer matters.
   *
   * @throws {CountersignError} as `approve()`, where the request was over before or the wallet is closed; `invalid_answer`.
   */
  reject(rejection: string | Rejection = {}): Promise<void> {
    const { code = 'user_rejected', reason, scope = 'key' } = typeof rejection === 'string' ? { reason: rejection } : rejection;
    return this.#answer(() => this.#actions.reject(this.id, code, reason, scope));
  }

  async #answer(act: () => void): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    const outcome = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    try {
      guarded(act);
    } catch (error) {
      this.#waiters.pop();
      throw error;
    }
    return outcome;
  }

  #end(state: RequestState, error: CountersignError | undefined): void {
    const undecided = this.#state === 'open';
    this.#state = state;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
    if (undecided && error !== undefined) this.#aborter.abort(error);
    this.#changed();
  }

  #changed(): void {
    this.#emitter.emit('change', this);
  }
}
