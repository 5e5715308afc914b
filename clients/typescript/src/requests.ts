// Requests that the server keeps: how they stand, their states as they come, their end.

import { about, type Caller, isTransient } from './caller.js';
import type { Verify } from './ed25519.js';
import { failureOf, NetworkError, ProtocolError } from './errors.js';
import { errorOf, mediaType } from './problem.js';
import { EventReader, type ServerSentEvent } from './sse.js';
import type { Exchange } from './transport.js';
import { asProblem, asRequest, idOf, parseJson } from './validation.js';
import { type Expected, verified } from './verified-signature.js';
import { isEnd, type RequestResource, type State } from './wire.js';

/** Proxies cut what is silent for a minute. */
const POLL_S = 45;
/** A server that answers a poll before its time is not asked again at once. */
const PACE_MS = 1_000;
/** Three times as long as a server is silent on a stream. */
const SILENCE_MS = 45_000;

/** What calls about a request have in common. */
export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** @internal */
  expected?: Expected | undefined;
}

/** For how long, and where what is known of a server ends. */
export interface Patience {
  patienceMs: number;
  exchangeTimeoutMs: number;
  maxAnswerBytes: number;
  verify: Verify;
}

/** `/v1/requests/` */
export class Requests {
  readonly #caller: Caller;
  readonly #patience: Patience;

  constructor(caller: Caller, patience: Patience) {
    this.#caller = caller;
    this.#patience = patience;
  }

  get(id: string, options: RequestOptions = {}): Promise<RequestResource> {
    return this.#ask('GET', id, '', options);
  }

  cancel(id: string, options: RequestOptions & { patienceMs?: number } = {}): Promise<RequestResource> {
    return this.#ask('DELETE', id, '', options);
  }

  async wait(
    id: string,
    { seconds = Infinity, ...options }: RequestOptions & { seconds?: number | undefined } = {},
  ): Promise<RequestResource> {
    const { clock } = this.#caller;
    const until = clock.elapsed() + seconds * 1_000;
    for (;;) {
      const asked = clock.elapsed();
      const poll = Math.min(POLL_S, Math.max(0, Math.ceil((until - asked) / 1_000)));
      const request = await this.#ask('GET', id, `?wait=${poll}`, options, poll * 1_000);
      const told = clock.elapsed();
      if (isEnd(request.state) || told >= until) return request;
      if (told - asked < PACE_MS) await clock.sleep(Math.min(PACE_MS, until - told), options.signal);
    }
  }

  async *follow(id: string, options: RequestOptions = {}): AsyncGenerator<RequestResource, void, undefined> {
    const { clock } = this.#caller;
    const told = new Set<State>();
    const backoff = this.#caller.backoff();
    let heard = clock.elapsed();
    for (;;) {
      const { base } = this.#caller;
      try {
        for await (const request of this.#states(base, id, options)) {
          heard = clock.elapsed();
          if (told.has(request.state)) continue;
          told.add(request.state);
          backoff.reset();
          yield request;
          if (isEnd(request.state)) return;
        }
        throw new NetworkError('the stream ended before the request did', { sent: true });
      } catch (error) {
        about(error, id);
        if (!isTransient(error, true)) throw error;
        await this.#caller.pause({ base, backoff, deadline: heard + this.#patience.patienceMs, signal: options.signal }, error);
      }
    }
  }

  async receipt(id: string, { signal }: RequestOptions = {}): Promise<string> {
    try {
      const exchange = { ...this.#exchange('GET', id, '/receipt', signal), headers: { accept: 'application/jose' } };
      const { headers, status, text } = await this.#caller.answer(exchange, this.#again());
      if (mediaType(headers) !== 'application/jose') throw new ProtocolError('the receipt is not application/jose', { status });
      return text.trim();
    } catch (error) {
      throw about(error, id);
    }
  }

  /** The states of one stream, as often as it tells them. */
  async *#states(base: string, id: string, options: RequestOptions): AsyncGenerator<RequestResource, void, undefined> {
    const { transport, clock } = this.#caller;
    const exchange = {
      ...this.#exchange('GET', id, '/events', options.signal),
      headers: { accept: 'text/event-stream' },
      timeoutMs: SILENCE_MS,
    };
    const stream = await transport.open(base, exchange);
    try {
      if (stream.answer.status !== 200) throw errorOf(stream.answer, clock.now());
      if (mediaType(stream.answer.headers) !== 'text/event-stream') throw new ProtocolError('the events are not text/event-stream');
      const reader = new EventReader(this.#patience.maxAnswerBytes);
      for (let part = await stream.next(); part !== undefined; part = await stream.next()) {
        for (const event of reader.push(part)) yield await this.#state(event, id, options.expected);
      }
    } finally {
      stream.close();
    }
  }

  async #state({ name, data }: ServerSentEvent, id: string, expected: Expected | undefined): Promise<RequestResource> {
    const value = parseJson(data, `the event ${JSON.stringify(name.slice(0, 32))}`);
    if (name === 'problem') throw failureOf(asProblem(value));
    const request = await this.#checked(value, id, expected);
    if (request.state !== name) throw new ProtocolError(`an event of another name has the state ${request.state}`);
    return request;
  }

  async #ask(
    method: Exchange['method'],
    id: string,
    query: string,
    { signal, expected, patienceMs }: RequestOptions & { patienceMs?: number },
    waitMs = 0,
  ): Promise<RequestResource> {
    try {
      const exchange = this.#exchange(method, id, query, signal);
      exchange.timeoutMs += waitMs;
      return await this.#checked(await this.#caller.json(exchange, this.#again(patienceMs, waitMs)), id, expected);
    } catch (error) {
      throw about(error, id);
    }
  }

  async #checked(value: unknown, id: string, expected: Expected | undefined): Promise<RequestResource> {
    const request = asRequest(value);
    if (request.request_id !== idOf(id, 'request_id')) throw new ProtocolError('the server answers for another request');
    if (request.state === 'signed') await verified(request, expected, this.#patience.verify);
    return request;
  }

  #exchange(method: Exchange['method'], id: string, rest: string, signal: AbortSignal | undefined): Exchange {
    return { method, path: `/v1/requests/${idOf(id, 'request_id')}${rest}`, timeoutMs: this.#patience.exchangeTimeoutMs, signal };
  }

  /** The time of a wait that was cut off does not count. */
  #again(patienceMs = this.#patience.patienceMs, waitMs = 0) {
    return { repeatable: true, patienceMs: patienceMs + waitMs };
  }
}
