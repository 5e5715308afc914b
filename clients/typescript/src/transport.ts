// One exchange with one server: bounded in time and in size, and with an error that says whether anything was sent.

import { decodeUtf8 } from './bytes.js';
import type { Clock } from './clock.js';
import { CountersignError, NetworkError, ProtocolError } from './errors.js';
import { LinkedSignal, unlessAborted } from './linked-signal.js';

/** A call of the API. */
export interface Exchange {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** For the whole answer; of a stream, for its head and for each of its parts. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** An answer that has arrived whole. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** What an exchange needs of its platform. */
export interface TransportOptions {
  fetch: typeof fetch;
  token: string | undefined;
  clock: Clock;
  maxAnswerBytes: number;
}

/** Where answers come from. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * The whole answer, whatever its status.
   *
   * @throws {NetworkError} where none came
   * @throws {ProtocolError} where it is too long or no text
   */
  async send(base: string, exchange: Exchange): Promise<HttpAnswer> {
    return this.#within(exchange, async (signal) => {
      const response = await this.#fetch(base, exchange, signal);
      return { status: response.status, headers: response.headers, text: await this.#text(response) };
    });
  }

  /** An answer's head at once, and its parts as they come: `next` has the next one, or undefined at the end. */
  async open(base: string, exchange: Exchange): Promise<{ answer: HttpAnswer; next(): Promise<Uint8Array | undefined>; close(): void }> {
    const stream = new AbortController();
    const response = await this.#within(exchange, (signal) => {
      signal.addEventListener('abort', () => stream.abort(signal.reason), { once: true });
      return this.#fetch(base, exchange, stream.signal);
    });
    const { status, headers } = response;
    const close = () => stream.abort();
    if (status !== 200) {
      const text = await this.#within(exchange, () => this.#text(response)).finally(close);
      return { answer: { status, headers, text }, next: async () => undefined, close };
    }
    const reader = response.body?.getReader();
    const next = () => this.#within(exchange, async () => (await reader?.read())?.value);
    return { answer: { status, headers, text: '' }, next, close };
  }

  #fetch(base: string, { method, path, headers, body }: Exchange, signal: AbortSignal): Promise<Response> {
    const { fetch, token } = this.#options;
    const all: Record<string, string> & { authorization?: string } = { accept: 'application/json', ...headers };
    if (token !== undefined) all.authorization = `Bearer ${token}`;
    if (body !== undefined) all['content-type'] = 'application/json';
    // A redirect would take the token, and the question, elsewhere.
    return fetch(`${base}${path}`, { method, headers: all, signal, redirect: 'manual', ...(body === undefined ? {} : { body }) });
  }

  async #text(response: Response): Promise<string> {
    const most = this.#options.maxAnswerBytes;
    const parts: Uint8Array[] = [];
    let length = 0;
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      parts.push(part.value);
      length += part.value.length;
      if (length > most) {
        reader?.cancel().catch(() => {});
        throw new ProtocolError(`the answer is longer than ${most} bytes`, { status: response.status });
      }
    }
    return textOf(parts, length, response.status);
  }

  /** Runs work that ends in time, by the exchange's signal, or with an error of this package. */
  async #within<T>({ timeoutMs, signal }: Exchange, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const linked = new LinkedSignal(signal);
    const timer = new AbortController();
    const late = new NetworkError(`nothing whole came within ${timeoutMs} ms`, { sent: true });
    this.#options.clock.sleep(timeoutMs, timer.signal).then(
      () => linked.abort(late),
      () => {},
    );
    try {
      if (signal?.aborted) throw signal.reason;
      return await unlessAborted(work(linked.signal), linked.signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (linked.signal.aborted) throw late;
      throw error instanceof CountersignError ? error : networkError(error);
    } finally {
      timer.abort();
      linked.release();
    }
  }
}

function textOf(parts: Uint8Array[], length: number, status: number): string {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new ProtocolError('the answer is no UTF-8', { status, cause });
  }
}

function networkError(cause: unknown): NetworkError {
  return new NetworkError('the connection could not be made, or it broke', { sent: !isUnsent(cause), cause });
}

/** What only happens before there is a connection. */
const UNSENT = new Set<unknown>(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'ConnectionRefused']);

/** Whether an error says that no connection was made. Each platform has its own way; in doubt something may have been sent. */
function isUnsent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall, cause, message } = error as Error & { code?: unknown; syscall?: unknown };
  if (syscall === 'connect' || UNSENT.has(code)) return true;
  // Deno's words for it.
  if (message.includes('client error (Connect)')) return true;
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isUnsent);
  return isUnsent(cause);
}
