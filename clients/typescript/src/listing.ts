// Requests that are found again by what is known of them: listed, looked at and withdrawn several at a time.

import type { Caller } from './caller.js';
import { type Filters, type ListOptions, queryOf } from './filters.js';
import { checkBatch, PageChecker } from './pagination.js';
import type { Patience } from './requests.js';
import type { Exchange } from './transport.js';
import { asBatchResource, asCancelledAll, asPage, idOf } from './validation.js';
import { verified } from './verified-signature.js';
import type { BatchResource, CancelledAll, RequestResource } from './wire.js';

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
    const pages = new PageChecker(options, options.pageSize);
    for (;;) {
      const page = asPage(await this.#json('GET', `/v1/requests?${query}`, signal));
      pages.check(page);
      yield* await this.#verified(page.requests);
      if (page.next_cursor === undefined) return;
      query.set('cursor', page.next_cursor);
    }
  }

  async batch(method: 'GET' | 'DELETE', given: string, signal: AbortSignal | undefined): Promise<BatchResource> {
    const id = idOf(given, 'batch_id');
    const batch = asBatchResource(await this.#json(method, `/v1/batches/${id}`, signal));
    checkBatch(batch, id);
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
