// Which requests are meant, as the API is asked for them and as its answers are held to it.

import { decodeBase64, equal } from './bytes.js';
import { readings, spelled } from './public-key.js';
import { knownReadings } from './send-to-sign.js';
import { isEnd, type RequestResource } from './wire.js';

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

const PARAMETERS: Record<string, string> = {
  state: 'state',
  publicKey: 'public_key',
  reference: 'reference',
  batchId: 'batch_id',
  idempotencyKey: 'idempotency_key',
  createdAfterMs: 'created_after_ms',
  createdBeforeMs: 'created_before_ms',
  pageSize: 'limit',
};

/** @throws {TypeError} where there is no such option */
export function queryOf(options: Omit<ListOptions, 'signal'>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) {
    const parameter = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (parameter === undefined) throw new TypeError(`there is no option ${name}`);
    if (value === undefined) continue;
    if (name === 'publicKey') knownReadings(value as string | Uint8Array);
    query.set(parameter, name === 'publicKey' ? spelled(value as string | Uint8Array) : String(value));
  }
  return query;
}

/**
 * Whether filters take a request, as far as it shows: not under which idempotency key it was asked, nor to the millisecond when, since a
 * server's clock may be set right.
 */
export function takes({ state, publicKey, reference, batchId }: Filters, request: RequestResource): boolean {
  const key = decodeBase64(request.public_key);
  const isOfKey = publicKey === undefined || readings(publicKey).some((one) => key !== undefined && equal(one, key));
  const isOfState = state === undefined || state === request.state || state === (isEnd(request.state) ? 'ended' : 'open');
  const isOfBatch = batchId === undefined || request.batch?.id === batchId.toLowerCase();
  return isOfKey && isOfState && isOfBatch && (reference === undefined || request.reference === reference);
}
