import { isBytes } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';
import type { MessageKind } from '../messages/describe.js';

/** What a human allows in advance. */
export interface PolicyRule {
  /** Who may ask: exactly this name, which the server's operator gave the backend; at most 64 bytes. */
  requester: string;
  /**
   * What kind of message, as `describe` tells it. Needed unless there is a `prefix` or `pattern`, and `text` needs one of them beside it: any sentence is
   * a text. What is `blind` is only approved by a rule for that.
   */
  kind?: MessageKind;
  /** What the message starts with, byte by byte; 1 to 1,024 bytes. End it where a number ends: `Pay 1` also starts `Pay 1000`. */
  prefix?: string | Uint8Array;
  /**
   * The whole message, a text of 1 to 1,024 bytes, in which `*` stands for 1 to 128 characters without white space: `Sign in to Example Shop, code *`.
   * At most one in each word, and there is a word without.
   */
  pattern?: string;
  /** How many requests it approves: 1 to 1,000, 10 unless given. */
  uses?: number;
  /** For how long, in milliseconds: at most 30 days, a day unless given. */
  expiresInMs?: number;
}

/** A rule that was granted. */
export interface Policy {
  /** Names it to the backend, which is told `approved_by: policy:<id>`. */
  readonly id: string;
  /** Who may ask. */
  readonly requester: string;
  /** What kind of message, if it matters. */
  readonly kind?: MessageKind;
  /** What the message starts with, if it matters. */
  readonly prefix?: Uint8Array;
  /** What the whole message reads like, if it matters. */
  readonly pattern?: string;
  /** How many more requests it approves. */
  readonly usesLeft: number;
  /** When it was granted, in milliseconds as `Date.now()` counts them. */
  readonly grantedAt: number;
  /** When it ends, in milliseconds as `Date.now()` counts them. */
  readonly expiresAt: number;
}

/** What a policy looks at. @internal */
export interface Subject {
  readonly requester: string;
  readonly kind: MessageKind;
  readonly message: Uint8Array;
  /** As it is shown. */
  readonly text: string;
  /** Whether a reader could take it for something else than it is. */
  readonly isDoubtful: boolean;
}

/** @internal */
export const KINDS: readonly unknown[] = ['text', 'json', 'binary', 'blind'] satisfies MessageKind[];
/** @internal */
export const MOST = { requesterBytes: 64, prefixBytes: 1_024, wordCharacters: 128, uses: 1_000, spanMs: 30 * 24 * 60 * 60 * 1_000 };

const DEFAULT = { uses: 10, spanMs: 24 * 60 * 60 * 1_000 };
const FIELDS = ['requester', 'kind', 'prefix', 'pattern', 'uses', 'expiresInMs'];

/**
 * The policy that a rule becomes when it is granted at `now`.
 *
 * @throws {CountersignError} `invalid_policy`
 * @internal
 */
export function policyOf(rule: PolicyRule, id: string, now: number): Policy {
  const check = (holds: boolean, wanted: string) => {
    if (!holds) throw new CountersignError('invalid_policy', `A rule ${wanted}.`);
  };
  check(typeof rule === 'object' && rule !== null, 'is an object');
  // One that is spelt wrong would be a bound that does not hold.
  for (const name of Object.keys(rule)) check(FIELDS.includes(name), `has no field ${JSON.stringify(name)}`);
  const { requester, kind, pattern, uses = DEFAULT.uses, expiresInMs = DEFAULT.spanMs } = rule;
  check(isRequester(requester), 'names the requester, in 1 to 64 bytes');
  check(kind === undefined || KINDS.includes(kind), "has a kind of 'text', 'json', 'binary' or 'blind'");
  const given = typeof rule.prefix === 'string' ? new TextEncoder().encode(rule.prefix) : rule.prefix;
  check(given === undefined || isPrefix(given), 'has a prefix of 1 to 1,024 bytes');
  check(pattern === undefined || isPattern(pattern), 'has a pattern of 1 to 1,024 bytes, with a word without * and at most one * in each');
  check(
    isBounded({ kind, prefix: given, pattern }),
    'says what kind of message it approves, and of a text what it starts with or reads like',
  );
  check(isWhole(uses, MOST.uses), 'has 1 to 1,000 uses');
  check(isWhole(expiresInMs, MOST.spanMs), 'ends within 30 days');
  return Object.freeze({
    id,
    requester,
    ...(kind !== undefined && { kind }),
    ...(given !== undefined && { prefix: new Uint8Array(given) }),
    ...(pattern !== undefined && { pattern }),
    usesLeft: uses,
    grantedAt: now,
    expiresAt: now + expiresInMs,
  });
}

/** Whether a policy approves what is asked at `now`. @internal */
export function match(policy: Policy, { requester, kind, message, text, isDoubtful }: Subject, now: number): boolean {
  const { prefix = [], pattern } = policy;
  return (
    isLive(policy, now) &&
    policy.requester === requester &&
    !isDoubtful &&
    (policy.kind === undefined ? kind !== 'blind' : policy.kind === kind) &&
    prefix.every((byte, at) => message[at] === byte) &&
    (pattern === undefined || (kind === 'text' && readsLike(pattern, text)))
  );
}

/** Whether a text has the words of a pattern, and between them the same white space. Takes time in proportion to both. */
function readsLike(pattern: string, text: string): boolean {
  const words = wordsOf(text);
  const isLike = (wanted: string, word = '') => {
    const [before = '', after] = wanted.split('*');
    if (after === undefined) return word === wanted;
    const rest = word.length - before.length - after.length;
    return rest > 0 && rest <= MOST.wordCharacters && word.startsWith(before) && word.endsWith(after);
  };
  const wanted = wordsOf(pattern);
  return wanted.length === words.length && wanted.every((word, at) => isLike(word, words[at]));
}

/** With what stands between them. */
function wordsOf(text: string): string[] {
  return text.split(/(\s)/);
}

/** Whether a policy approves anything at `now`. A clock that was set back to before it was granted makes none last longer. @internal */
export function isLive({ usesLeft, grantedAt, expiresAt }: Policy, now: number): boolean {
  return usesLeft > 0 && grantedAt <= now && now < expiresAt;
}

/** What is left when a policy approves each of what is asked in one prompt. @internal */
export interface Spent {
  readonly policies: Policy[];
  /** Which policy approves each, in their order. */
  readonly by: Policy[];
}

/** Takes a use for each subject from the first policy that approves it; undefined unless all are approved. @internal */
export function spend(policies: readonly Policy[], subjects: readonly Subject[], now: number): Spent | undefined {
  const left = [...policies];
  const by: Policy[] = [];
  for (const subject of subjects) {
    const at = left.findIndex((policy) => match(policy, subject, now));
    const policy = left[at];
    if (policy === undefined) return undefined;
    const spent = Object.freeze({ ...policy, usesLeft: policy.usesLeft - 1 });
    left[at] = spent;
    by.push(spent);
  }
  return { policies: left, by };
}

/** @internal */
export function isRequester(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && new TextEncoder().encode(value).length <= MOST.requesterBytes;
}

/** @internal */
export function isPrefix(value: unknown): value is Uint8Array {
  return isBytes(value) && value.length > 0 && value.length <= MOST.prefixBytes;
}

/** @internal */
export function isPattern(value: unknown): value is string {
  if (typeof value !== 'string' || new TextEncoder().encode(value).length > MOST.prefixBytes) return false;
  const words = wordsOf(value);
  return words.every((word) => word.split('*').length <= 2) && words.some((word) => /^[^*]*\p{L}[^*]*$/u.test(word));
}

/** Whether a rule is for some messages only. @internal */
export function isBounded({ kind, prefix, pattern }: { kind?: unknown; prefix?: unknown; pattern?: unknown }): boolean {
  if (pattern !== undefined) return kind === undefined || kind === 'text';
  return prefix !== undefined || (kind !== undefined && kind !== 'text');
}

/** @internal */
export function isWhole(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= most;
}
