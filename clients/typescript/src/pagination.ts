// What the pages of a list, and a batch, are held to: they are of what was asked for, in their order, and come to an end.

import { ProtocolError } from './errors.js';
import { type Filters, takes } from './filters.js';
import type { Page } from './validation.js';
import { type BatchResource, isEnd, type RequestResource } from './wire.js';

/** Pages without a request that may come in a row. A server has passed over thousands of requests for each. */
const MOST_EMPTY_PAGES = 10_000;

/** Checks a list page by page. What it remembers is bounded: one id, and the cursors since the last page that had a request. */
export class PageChecker {
  readonly #filters: Filters;
  readonly #pageSize: number | undefined;
  #lastId: string | undefined;
  #cursors = new Set<string>();

  constructor(filters: Filters, pageSize: number | undefined) {
    this.#filters = filters;
    this.#pageSize = pageSize;
  }

  /** @throws {ProtocolError} where this cannot be the next page of the list */
  check({ requests, next_cursor }: Page): void {
    if (this.#pageSize !== undefined && requests.length > this.#pageSize)
      throw new ProtocolError(`the page has ${requests.length} requests, and ${this.#pageSize} were asked for`);
    for (const request of requests) this.#checkRequest(request);
    if (requests.length > 0) this.#cursors.clear();
    if (next_cursor === undefined) return;
    if (this.#cursors.has(next_cursor)) throw new ProtocolError('the pages of the list go in a circle');
    this.#cursors.add(next_cursor);
    if (this.#cursors.size > MOST_EMPTY_PAGES) throw new ProtocolError(`${MOST_EMPTY_PAGES} pages of the list in a row are empty`);
  }

  /** Each id is lower than the one before, whatever the cursors say: so none comes twice, and there is an end. */
  #checkRequest(request: RequestResource): void {
    const { request_id } = request;
    if (this.#lastId !== undefined && request_id >= this.#lastId)
      throw new ProtocolError('the list has a request again, or out of its order', { request_id });
    this.#lastId = request_id;
    if (!takes(this.#filters, request)) throw new ProtocolError('the list has a request that was not asked for', { request_id });
  }
}

/** @throws {ProtocolError} where an answer cannot be about the batch with this id */
export function checkBatch({ batch_id, state, requests }: BatchResource, id: string): void {
  if (batch_id !== id) throw new ProtocolError('the server answers for another batch');
  const [first] = requests;
  let lastIndex = -1;
  for (const { request_id, public_key, batch } of requests) {
    if (batch?.id !== id || batch.size !== first?.batch?.size || public_key !== first?.public_key)
      throw new ProtocolError('the batch has a request that is not of it', { request_id });
    if (batch.index <= lastIndex || batch.index >= batch.size)
      throw new ProtocolError('the batch is not in the order of its messages', { request_id });
    lastIndex = batch.index;
  }
  if (new Set(requests.map(({ request_id }) => request_id)).size !== requests.length)
    throw new ProtocolError('two messages have one request');
  if ((state === 'ended') !== requests.every((request) => isEnd(request.state)))
    throw new ProtocolError(`the batch is said to be ${state}, and its requests are not`);
}
