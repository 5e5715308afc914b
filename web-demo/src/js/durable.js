import { authorization, parse } from './api.js';
import { delay } from './delay.js';
import { eventsOf } from './event-stream.js';

const RETRY_MS = 1_000;

/** @param {string} id */
const path = (id) => `/v1/requests/${id}`;

/**
 * Where the server signs how a request ended.
 *
 * @param {string} id
 */
export const receiptPath = (id) => `${path(id)}/receipt`;

/**
 * Follows a request that was written down until it has ended, also while the server is away.
 *
 * @param {string} id
 * @param {FollowOptions} options
 * @returns {Promise<ApiRequest>} the request as it ended
 * @throws {Problem} where the server does not know it, or does not tell
 */
export async function followRequest(id, { token, signal, onNews, onLost }) {
  for (;;) {
    try {
      const last = await followOnce(id, { token, signal, onNews });
      if (last) return last;
    } catch (error) {
      if (signal.aborted || error instanceof Problem) throw error;
    }
    onLost();
    await delay(RETRY_MS, signal);
  }
}

/**
 * Withdraws a request. One that has ended stays as it is.
 *
 * @param {string} id
 * @param {{ token: string }} options
 */
export async function cancelRequest(id, { token }) {
  await fetch(path(id), { method: 'DELETE', headers: authorization(token) });
}

/**
 * The receipt's text, for a server that asks who wants it.
 *
 * @param {string} id
 * @param {{ token: string }} options
 */
export async function fetchReceipt(id, { token }) {
  return (await fetch(receiptPath(id), { headers: authorization(token) })).blob();
}

/** An answer of the API that ends following. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {ApiProblem} body
   */
  constructor(status, body) {
    super(body.detail);
    this.status = status;
    this.body = body;
  }
}

/**
 * @param {string} id
 * @param {Omit<FollowOptions, 'onLost'>} options
 * @returns {Promise<ApiRequest | undefined>}
 */
async function followOnce(id, { token, signal, onNews }) {
  const response = await fetch(`${path(id)}/events`, { headers: authorization(token), signal });
  const { status } = response;
  if (!response.ok && status < 500 && status !== 429) throw new Problem(status, parse(await response.text(), status));
  if (!response.ok || !response.body) return undefined;
  for await (const { event, data } of eventsOf(response.body)) {
    if (event === 'problem') return undefined;
    const request = JSON.parse(data);
    onNews(request);
    if (request.times.ended_ms !== undefined) return request;
  }
  return undefined;
}
