// Asking for a signature: written down first, where the server can, so that a call that breaks off is made again without a second prompt.

import { encodeBase64 } from './bytes.js';
import { about, type Caller } from './caller.js';
import { CountersignError, DeadlineError, InvalidRequestError, NoStoreError, ProtocolError, VerificationError } from './errors.js';
import { LinkedSignal, unlessAborted } from './linked-signal.js';
import { readings, spelled } from './public-key.js';
import type { Patience, Requests } from './requests.js';
import type { Exchange } from './transport.js';
import { asAnswer, asBatch, asRequest } from './validation.js';
import { type Expected, resultOf, type Signed, verified } from './verified-signature.js';
import { isEnd, type RequestResource } from './wire.js';

/** What the server takes where a call says nothing. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** For how long a call that is given up tries to withdraw what it asked for. */
const WITHDRAW_MS = 5_000;
/** A server that keeps nothing may be another one later. */
const NO_STORE_MS = 600_000;

/** How to ask; all optional. */
export interface AskOptions {
  /** Why, in your words: the wallet shows it as your claim. */
  purpose?: string | undefined;
  /** What you call it, such as the number of an order: 1 to 128 bytes. No wallet is shown it. */
  reference?: string | undefined;
  /** What you want to find beside it again: at most 16 texts. No wallet is shown it. */
  metadata?: Record<string, string> | undefined;
  /** How long the wallet has, 1,000 to 604,800,000; 60,000 where left out. */
  timeoutMs?: number | undefined;
  /** How long it may take until a wallet says that it has the request; 10,000 where left out, with `queue` as long as `timeoutMs`. */
  deliveryTimeoutMs?: number | undefined;
  /** The request may wait for a wallet to connect. */
  queue?: boolean | undefined;
  /** Where the end is told; one of the URLs that the operator allows. */
  webhook?: string | undefined;
  /** An open request of yours for the same key, which ends as `cancelled` in the same step in which this one is taken. Not for batches. */
  replaces?: string | undefined;
  /** Names the request across processes and restarts; where left out each call has one of its own. */
  idempotencyKey?: string | undefined;
  /** After this the call is given up and its request withdrawn; `timeoutMs` and twice `patienceMs` where left out. */
  deadlineMs?: number | undefined;
  /** Gives the call up and withdraws its request. The call rejects with the signal's reason, after the withdrawal or five seconds. */
  signal?: AbortSignal | undefined;
}

const OPTIONS = [
  'purpose',
  'reference',
  'metadata',
  'timeoutMs',
  'deliveryTimeoutMs',
  'queue',
  'webhook',
  'replaces',
  'idempotencyKey',
  'deadlineMs',
  'signal',
];

/** A call whose arguments have been checked. */
export interface PreparedCall {
  body: string;
  expected: Expected[];
  isBatch: boolean;
  idempotencyKey: string | undefined;
  /** Without one the server has nothing to go by when the call is made again. */
  needsStore: boolean;
  timeoutMs: number;
  deadlineMs: number | undefined;
  signal: AbortSignal | undefined;
}

/** What asking needs of its client. */
export interface SendToSignOptions extends Patience {
  durable: boolean;
  randomUUID(): string;
}

/**
 * What is to be asked. Messages are copied, so that changing them later changes nothing.
 *
 * @throws {TypeError} where an argument is of another type
 * @throws {InvalidRequestError} where the key has no spelling of a key
 */
export function prepareCall(publicKey: string | Uint8Array, messages: Uint8Array | Uint8Array[], options: AskOptions): PreparedCall {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no option ${unknown}`);
  const { purpose, reference, metadata, timeoutMs, deliveryTimeoutMs, queue, webhook, replaces, idempotencyKey, deadlineMs, signal } =
    options;
  for (const [name, ms] of Object.entries({ timeoutMs, deliveryTimeoutMs, deadlineMs })) {
    if (ms !== undefined && !(Number.isSafeInteger(ms) && ms > 0)) throw new TypeError(`${name} is a whole number of milliseconds`);
  }
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey)) {
    throw new InvalidRequestError({ code: 'invalid_idempotency_key', detail: 'idempotencyKey is 1 to 255 visible ASCII characters' });
  }
  const isBatch = Array.isArray(messages);
  const bytes = [messages].flat().map((message) => {
    if (!(message instanceof Uint8Array)) throw new TypeError('a message is a Uint8Array: the bytes to sign');
    return new Uint8Array(message);
  });
  const keys = knownReadings(publicKey);
  const encoded = bytes.map(encodeBase64);
  const body = JSON.stringify({
    public_key: spelled(publicKey),
    ...(isBatch ? { messages: encoded } : { message: encoded[0] }),
    purpose,
    reference,
    metadata,
    timeout_ms: timeoutMs,
    delivery_timeout_ms: deliveryTimeoutMs,
    queue,
    webhook,
    replaces,
  });
  const expected = bytes.map((message) => ({ keys, message }));
  const needsStore = idempotencyKey !== undefined || queue === true || webhook !== undefined || replaces !== undefined;
  return { body, expected, isBatch, idempotencyKey, needsStore, timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS, deadlineMs, signal };
}

/** @throws {InvalidRequestError} where there is none */
export function knownReadings(publicKey: string | Uint8Array): Uint8Array[] {
  const keys = readings(publicKey);
  if (keys.length === 0) throw new InvalidRequestError({ code: 'invalid_public_key', detail: 'this is no spelling of a public key' });
  return keys;
}

/** `POST /v1/send_to_sign` */
export class SendToSign {
  readonly #caller: Caller;
  readonly #requests: Requests;
  readonly #options: SendToSignOptions;
  /** Until when the server is taken to keep nothing. */
  #noStoreUntil = -Infinity;

  constructor(caller: Caller, requests: Requests, options: SendToSignOptions) {
    this.#caller = caller;
    this.#requests = requests;
    this.#options = options;
  }

  /** One result for each message, in their order. */
  async sign(asked: PreparedCall): Promise<(Signed | CountersignError)[]> {
    const linked = new LinkedSignal(asked.signal);
    const timer = new AbortController();
    const deadlineMs = asked.deadlineMs ?? asked.timeoutMs + 2 * this.#options.patienceMs;
    this.#caller.clock.sleep(deadlineMs, timer.signal).then(
      () => linked.abort(new DeadlineError(`the call took longer than ${deadlineMs} ms`)),
      () => {},
    );
    try {
      linked.signal.throwIfAborted();
      const accepted = await this.#accepted(asked, linked.signal);
      return await (accepted ? this.#ends(asked, accepted, linked.signal) : this.#plainly(asked, linked.signal));
    } finally {
      timer.abort();
      linked.release();
    }
  }

  /** The requests as they stand when they have been written down. The call is made again until it is answered. */
  async accept(
    asked: PreparedCall,
    { leaving, signal }: { leaving?: AbortSignal; signal?: AbortSignal | undefined },
  ): Promise<RequestResource[]> {
    const key = asked.idempotencyKey ?? this.#options.randomUUID();
    const headers = { prefer: 'respond-async', 'idempotency-key': key };
    const { exchangeTimeoutMs: timeoutMs, patienceMs } = this.#options;
    const exchange: Exchange = { method: 'POST', path: '/v1/send_to_sign', headers, body: asked.body, timeoutMs, signal };
    try {
      const value = await this.#caller.json(exchange, { repeatable: true, patienceMs, ...(leaving ? { leaving } : {}) });
      return asked.isBatch ? this.#each(asBatch(value).requests, asked) : [asRequest(value)];
    } catch (error) {
      if (error instanceof CountersignError) error.idempotency_key = key;
      throw error;
    }
  }

  /** Undefined where the server keeps nothing, and nothing is lost by that. */
  async #accepted(asked: PreparedCall, leaving: AbortSignal): Promise<RequestResource[] | undefined> {
    const { clock } = this.#caller;
    if (!asked.needsStore && (!this.#options.durable || clock.elapsed() < this.#noStoreUntil)) return undefined;
    const given = new AbortController();
    const accepting = this.accept(asked, { leaving, signal: given.signal });
    try {
      return await unlessAborted(accepting, leaving);
    } catch (error) {
      if (leaving.aborted) return this.#leave(accepting, given, leaving.reason);
      if (!(error instanceof NoStoreError) || asked.needsStore) throw error;
      this.#noStoreUntil = clock.elapsed() + NO_STORE_MS;
      return undefined;
    }
  }

  /** A request whose id is on its way has to be waited for, or its prompt would stay. */
  async #leave(accepting: Promise<RequestResource[]>, given: AbortController, reason: unknown): Promise<never> {
    const timer = new AbortController();
    this.#caller.clock.sleep(WITHDRAW_MS, timer.signal).then(
      () => given.abort(reason),
      () => {},
    );
    const accepted = await accepting.catch(() => []);
    timer.abort();
    await this.#withdraw(accepted);
    throw reason;
  }

  async #ends(asked: PreparedCall, accepted: RequestResource[], signal: AbortSignal): Promise<(Signed | CountersignError)[]> {
    const ended = new Map<string, RequestResource | VerificationError>(
      accepted.filter(({ state }) => isEnd(state)).map((request) => [request.request_id, request]),
    );
    try {
      for (const { request_id: id } of accepted) {
        if (!ended.has(id)) ended.set(id, await this.#requests.wait(id, { signal }).catch(toleratingLies));
      }
    } catch (error) {
      const open = accepted.filter(({ request_id }) => !ended.has(request_id));
      if (signal.aborted) await this.#withdraw(open);
      throw open[0] ? about(error, open[0].request_id) : error;
    }
    const ends = accepted.map(({ request_id }) => ended.get(request_id));
    return Promise.all(
      ends.map(async (end, index) => {
        if (end instanceof VerificationError) return end;
        return this.#result(resultOf(end as RequestResource, asked.expected[index] as Expected, this.#options.verify));
      }),
    );
  }

  /** A call that waits: the server withdraws the request when its connection closes. */
  async #plainly(asked: PreparedCall, signal: AbortSignal): Promise<(Signed | CountersignError)[]> {
    const { patienceMs, verify } = this.#options;
    const timeoutMs = asked.timeoutMs + patienceMs;
    const exchange: Exchange = { method: 'POST', path: '/v1/send_to_sign', body: asked.body, timeoutMs, signal };
    const value = await this.#caller.json(exchange, { repeatable: false, patienceMs });
    if (!asked.isBatch) return [await verified(asAnswer(value), asked.expected[0], verify)];
    const ends = this.#each(asBatch(value).requests, asked);
    return Promise.all(ends.map((end, index) => this.#result(resultOf(end, asked.expected[index] as Expected, verify))));
  }

  async #withdraw(requests: RequestResource[]): Promise<void> {
    const given = new AbortController();
    const timer = new AbortController();
    this.#caller.clock.sleep(WITHDRAW_MS, timer.signal).then(
      () => given.abort(new DeadlineError('the withdrawal took too long')),
      () => {},
    );
    const open = requests.filter(({ state }) => !isEnd(state));
    await Promise.allSettled(
      open.map(({ request_id }) => this.#requests.cancel(request_id, { signal: given.signal, patienceMs: WITHDRAW_MS })),
    );
    timer.abort();
  }

  #each(requests: RequestResource[], { expected }: PreparedCall): RequestResource[] {
    if (requests.length !== expected.length)
      throw new ProtocolError(`the server answers for ${requests.length} of ${expected.length} messages`);
    if (new Set(requests.map(({ request_id }) => request_id)).size !== requests.length)
      throw new ProtocolError('two messages have one request');
    return requests;
  }

  async #result(concluded: Promise<Signed>): Promise<Signed | CountersignError> {
    try {
      return await concluded;
    } catch (error) {
      if (error instanceof CountersignError) return error;
      throw error;
    }
  }
}

/** What one request is told with does not keep the others from being told. */
function toleratingLies(error: unknown): VerificationError {
  if (error instanceof VerificationError) return error;
  throw error;
}
