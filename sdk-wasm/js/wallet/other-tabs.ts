import type { RequestState } from '../requests/request.js';

/** A request that the wallet has open in another tab, which is where it can be answered. */
export interface ElsewhereRequest {
  /** Names the request on every device and in the backend's log. */
  readonly id: string;
  /** Who asks: the name that the server's operator gave the backend. */
  readonly requester: { readonly name: string };
  /** Why, in the backend's own words: a claim, not a fact. */
  readonly purpose: string | undefined;
  /** When the request expires, in milliseconds as `Date.now()` counts them. */
  readonly expiresAt: number;
  /** How far it has come there. */
  readonly state: Extract<RequestState, 'open' | 'answered'>;
}

/** The most that a wallet has open. */
const MOST = 256;

/** As long as the protocol lets them be, in bytes; more than that in characters is never right. */
const LONGEST = { id: 36, name: 64, purpose: 256 };

/** Reads what came from another tab, which may run another version of this package; undefined where it is none. @internal */
export function readElsewhere(data: unknown): readonly ElsewhereRequest[] | undefined {
  if (!Array.isArray(data) || data.length > MOST) return undefined;
  // Not `data.map`, which passes over holes.
  const requests = Array.from(data, readOne);
  return requests.every((request) => request !== undefined) ? Object.freeze(requests) : undefined;
}

function readOne(data: unknown): ElsewhereRequest | undefined {
  if (!isObject(data) || !isObject(data.requester)) return undefined;
  const {
    id,
    requester: { name },
    purpose,
    expiresAt,
    state,
  } = data;
  if (!isText(id, LONGEST.id) || !isText(name, LONGEST.name)) return undefined;
  if (purpose !== undefined && !isText(purpose, LONGEST.purpose)) return undefined;
  if (typeof expiresAt !== 'number' || !Number.isFinite(expiresAt)) return undefined;
  if (state !== 'open' && state !== 'answered') return undefined;
  return Object.freeze({ id, requester: Object.freeze({ name }), purpose, expiresAt, state });
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null;
}

function isText(data: unknown, longest: number): data is string {
  return typeof data === 'string' && data.length > 0 && data.length <= longest;
}
