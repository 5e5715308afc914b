// A call that is made again where that does no harm: over several servers, with a pause that grows, until its time is up.

import { Backoff } from './backoff.js';
import type { Clock } from './clock.js';
import { CountersignError, NetworkError, NoStoreError, ProtocolError, RateLimitedError, UnavailableError } from './errors.js';
import { errorOf, mediaType } from './problem.js';
import type { Exchange, HttpAnswer, Transport } from './transport.js';
import { parseJson } from './validation.js';

/** How a call is made again. */
export interface Policy {
  /** Whether the same call again does no harm, whatever became of the first. */
  repeatable: boolean;
  /** For how long new attempts are begun. */
  patienceMs: number;
  /** When it is aborted the call ends unless the server may know of it: then its answer is needed, to withdraw what it asked for. */
  leaving?: AbortSignal;
}

/** What a pause goes by. */
export interface Pause {
  /** The server that could not answer. */
  base: string;
  backoff: Backoff;
  /** By the clock's `elapsed()`. */
  deadline: number;
  signal: AbortSignal | undefined;
}

/** Codes that say that nobody has been asked. */
const NOBODY_ASKED = new Set([
  'rate_limited',
  'requester_limit',
  'too_many_inflight',
  'overloaded',
  'audit_unavailable',
  'request_timeout',
]);

/** What all calls of a client have in common. */
export class Caller {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly #bases: string[];
  readonly #random: () => number;
  /** The server that answered last. */
  #current = 0;

  constructor(bases: string[], transport: Transport, clock: Clock, random: () => number) {
    this.#bases = bases;
    this.transport = transport;
    this.clock = clock;
    this.#random = random;
  }

  get base(): string {
    return this.#bases[this.#current] as string;
  }

  backoff(): Backoff {
    return new Backoff(this.#random, this.#bases.length);
  }

  /** The answer of a call that succeeded, in JSON. */
  async json(exchange: Exchange, policy: Policy, wanted = 'application/json'): Promise<unknown> {
    const { headers, status, text } = await this.answer(exchange, policy);
    if (mediaType(headers) !== wanted)
      throw new ProtocolError(`the answer is ${mediaType(headers) || 'nothing that is named'}, not ${wanted}`, { status });
    return parseJson(text, 'the answer');
  }

  /** @throws {CountersignError} what the last attempt came to, when there is no further one */
  async answer(exchange: Exchange, { repeatable, patienceMs, leaving }: Policy): Promise<HttpAnswer> {
    const deadline = this.clock.elapsed() + patienceMs;
    const backoff = this.backoff();
    let mayBeKnown = false;
    for (;;) {
      if (leaving?.aborted && !mayBeKnown) throw leaving.reason;
      const { base } = this;
      try {
        return await this.#attempt(base, exchange);
      } catch (error) {
        if (!isTransient(error, repeatable)) throw mayBeKnown ? unlessForgotten(error) : error;
        mayBeKnown ||= mayHaveBeenRead(error);
        await this.pause({ base, backoff, deadline, signal: mayBeKnown ? exchange.signal : (leaving ?? exchange.signal) }, error);
      }
    }
  }

  /**
   * Waits before the next attempt, which goes to another server where this one cannot answer.
   *
   * @throws what the last attempt came to, where the next would come too late
   */
  async pause({ base, backoff, deadline, signal }: Pause, error: CountersignError): Promise<void> {
    // A rate limit is each server's own: going elsewhere would be getting around it.
    const elsewhere = !(error instanceof RateLimitedError);
    const { retry_after } = error;
    const delay = backoff.next({ retryAfterMs: retry_after === undefined ? undefined : retry_after * 1_000, elsewhere });
    if (this.clock.elapsed() + delay >= deadline) throw error;
    // Of many calls that fail at once the first goes on to the next server, and the others go with it.
    if (elsewhere && base === this.base) this.#current = (this.#current + 1) % this.#bases.length;
    if (delay > 0) await this.clock.sleep(delay, signal);
  }

  async #attempt(base: string, exchange: Exchange): Promise<HttpAnswer> {
    const answer = await this.transport.send(base, exchange);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw errorOf(answer, this.clock.now());
  }
}

/** Whether a later attempt may do better, and does no harm. */
export function isTransient(error: unknown, repeatable: boolean): error is CountersignError {
  if (error instanceof NetworkError) return repeatable || !error.sent;
  if (error instanceof RateLimitedError || error instanceof UnavailableError) return repeatable || NOBODY_ASKED.has(error.code);
  return false;
}

function mayHaveBeenRead(error: CountersignError): boolean {
  return error instanceof NetworkError ? error.sent : !NOBODY_ASKED.has(error.code);
}

/** A server that keeps nothing cannot say what became of an attempt that another, or the same one before, may have written down. */
function unlessForgotten(error: unknown): unknown {
  if (!(error instanceof NoStoreError)) return error;
  return new NetworkError('an earlier attempt may have been accepted, and this server keeps no requests', { sent: true, cause: error });
}

/** The same error, naming the request it was about. */
export function about(error: unknown, request_id: string): unknown {
  if (error instanceof CountersignError) error.request_id ??= request_id;
  return error;
}
