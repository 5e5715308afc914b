import { fromBase64, toBase64 } from '../common/bytes.js';
import { isBounded, isPattern, isPrefix, isRequester, isWhole, KINDS, MOST, type Policy } from './policy.js';

/** The most policies of one wallet. @internal */
export const MOST_POLICIES = 100;

const FIELDS = ['id', 'requester', 'kind', 'prefix', 'pattern', 'usesLeft', 'grantedAt', 'expiresAt'];

/** Policies as text, for a store. @internal */
export function writePolicies(policies: readonly Policy[]): string {
  return JSON.stringify(policies.map((policy) => ({ ...policy, prefix: policy.prefix && toBase64(policy.prefix) })));
}

/**
 * Reads what {@link writePolicies} wrote. What else a store may hold, altered or of a later version, approves nothing: it is left out.
 *
 * @internal
 */
export function readPolicies(text: unknown): Policy[] {
  try {
    const data: unknown = JSON.parse(String(text));
    return Array.isArray(data) ? data.slice(0, MOST_POLICIES).flatMap((one) => readPolicy(one) ?? []) : [];
  } catch {
    return [];
  }
}

function readPolicy(data: unknown): Policy | undefined {
  // A later version may bound a policy by more than this one would look at.
  if (typeof data !== 'object' || data === null || Object.keys(data).some((name) => !FIELDS.includes(name))) return undefined;
  const { id, requester, kind, prefix: base64, pattern, usesLeft, grantedAt, expiresAt } = data as Record<string, unknown>;
  const prefix = typeof base64 === 'string' ? fromBase64(base64) : undefined;
  const isSound =
    typeof id === 'string' &&
    /^[\w-]{1,64}$/.test(id) &&
    isRequester(requester) &&
    (kind === undefined || KINDS.includes(kind)) &&
    (base64 === undefined || isPrefix(prefix)) &&
    (pattern === undefined || isPattern(pattern)) &&
    isBounded({ kind, prefix, pattern }) &&
    isWhole(usesLeft, MOST.uses) &&
    isWhole(grantedAt, Number.MAX_SAFE_INTEGER) &&
    isWhole(expiresAt, Number.MAX_SAFE_INTEGER) &&
    isWhole(expiresAt - grantedAt, MOST.spanMs);
  return isSound ? Object.freeze({ ...data, ...(prefix && { prefix }) } as Policy) : undefined;
}
