// Requests that are found again by what is known of them: listed, looked at and withdrawn several at a time.

import { knownReadings } from './asking.js';
import type { Caller } from './caller.js';
import { InvalidRequestError, ProtocolError } from './errors.js';
import { spelled } from './public-key.js';
import type { Patience } from './requests.js';
import { asBatchResource, asCancelledAll, asPage, isUuid } from './shapes.js';
import { verified } from './signed.js';
import type { Exchange } from './transport.js';
import type { BatchResource, CancelledAll, RequestResource } from './wire.js';

/** Which requests: those to which everything given applies. */
export interface Filters {
  /** `open`, `ended`, or how it ended: `signed`, `rejected`, `expired`, `cancelled`. */
  state?: 'open' | 'ended' | 'signed' | 'rejected' | 'expired' | 'cancelled' | undefined;
  publicKey?: string | Uint8Array | undefined;
  /** What you have called it. */
  reference?: string | undefined;
  batchId?: string | undefined;
  idempotencyKey?: string | undefined;
  /** Asked for then or later, in milliseconds since the Unix epoch. */
  createdAfterMs?: number | undefined;
  /** Asked for earlier than then. */
  createdBeforeMs?: number | undefined;
}

/** How to list; all optional. */
export interface ListOptions extends Filters {
  /** How many are fetched at once, 1 to 100; 20 where left out. */
  pageSize?: number | undefined;
  signal?: AbortSignal | undefined;
}

const FILTERS: Record<string, string> = {
  state: 'state',
  publicKey: 'public_key',
  reference: 'reference',
  batchId: 'batch_id',
  idempotencyKey: 'idempotency_key',
  createdAfterMs: 'created_after_ms',
  createdBeforeMs: 'created_before_ms',
  pageSize: 'limit',
};

/** `/v1/requests` and `/v1/batches/` */
export class Listing {
  readonly #caller: Caller;
  readonly #patience: Patience;

  constructor(caller: Caller, patience: Patience) {
    this.#caller = caller;
    this.#patience = patience;
  }

  async *list({ signal, ...options }: ListOptions): AsyncGenerator<RequestResource, void, undefined> {
    const query = queryOf(options);
    const seen = new Set<string>();
    for (;;) {
      const { requests, next_cursor } = asPage(await this.#json('GET', `/v1/requests?${query}`, signal));
      yield* await this.#verified(requests);
      if (next_cursor === undefined) return;
      if (seen.has(next_cursor)) throw new ProtocolError('the pages of the list go in a circle');
      seen.add(next_cursor);
      query.set('cursor', next_cursor);
    }
  }

  async batch(method: 'GET' | 'DELETE', id: string, signal: AbortSignal | undefined): Promise<BatchResource> {
    if (typeof id !== 'string' || !isUuid(id))
      throw new InvalidRequestError({ code: 'malformed', detail: 'a batch_id is a UUID in lower case' });
    const batch = asBatchResource(await this.#json(method, `/v1/batches/${id}`, signal));
    if (batch.batch_id !== id) throw new ProtocolError('the server answers for another batch');
    await this.#verified(batch.requests);
    return batch;
  }

  async cancelAll(filters: Filters, signal: AbortSignal | undefined): Promise<CancelledAll> {
    return asCancelledAll(await this.#json('DELETE', `/v1/requests?${queryOf(filters)}`, signal));
  }

  async #verified(requests: RequestResource[]): Promise<RequestResource[]> {
    const signed = requests.filter(({ state }) => state === 'signed');
    await Promise.all(signed.map((request) => verified(request, undefined, this.#patience.verify)));
    return requests;
  }

  #json(method: Exchange['method'], path: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { exchangeTimeoutMs: timeoutMs, patienceMs } = this.#patience;
    return this.#caller.json({ method, path, timeoutMs, signal }, { repeatable: true, patienceMs });
  }
}

function queryOf(options: Omit<ListOptions, 'signal'>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) {
    const parameter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
    if (parameter === undefined) throw new TypeError(`there is no option ${name}`);
    if (value === undefined) continue;
    if (name === 'publicKey') knownReadings(value as string | Uint8Array);
    query.set(parameter, name === 'publicKey' ? spelled(value as string | Uint8Array) : String(value));
  }
  return query;
}
