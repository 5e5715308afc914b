import { isBytes } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';
import { prettyJson } from './pretty-json.js';
import { hasGap, hasStrayMarks, isLong, isOneToken, mayReorder, mixesScripts } from './text-checks.js';

/**
 * What kind of message is to be signed. `text`: UTF-8. `json`: a JSON object or array (RFC 8259). `binary`: anything else.
 * `blind`: as long as a digest and no text a person could read, or one token that does not read as words, as the hex or base64 of one: it may
 * stand for anything at all.
 */
export type MessageKind = 'text' | 'json' | 'binary' | 'blind';

/** A run of characters to show. */
export interface Segment {
  /** What to show; without danger, even where it stands for what is not. */
  readonly text: string;
  /** The character that `text` stands for, such as `U+202E`, where showing it would hide or reorder something. */
  readonly hidden?: string;
}

/** Something a human should know before they sign. */
export interface Warning {
  /** For programs. Later versions may add some. */
  readonly code:
    | 'blind'
    | 'duplicate_keys'
    | 'similar_keys'
    | 'hidden_characters'
    | 'mixed_scripts'
    | 'reordered'
    | 'stray_marks'
    | 'gap'
    | 'long'
    | (string & {});
  /** For people. */
  readonly message: string;
}

/** A message as a human should see it. */
export interface Description {
  /** What kind of message it is. */
  readonly kind: MessageKind;
  /** What to show, piece by piece, as text and not as markup. Hexadecimal where it is no text. */
  readonly segments: readonly Segment[];
  /** The texts of all segments in one. */
  readonly text: string;
  /** What to show beside it. */
  readonly warnings: readonly Warning[];
}

/** The lengths of SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512, in bytes (FIPS 180-4). */
const DIGESTS = [20, 28, 32, 48, 64];

/**
 * What a reader cannot see, or what changes how the rest is read: controls, writing direction, zero-width and other ignorable
 * characters (DI: Default_Ignorable_Code_Point), unusual spaces, private use, unassigned, and the blank Braille pattern.
 */
const DECEPTIVE = String.raw`\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Z}\p{DI}\u2800`;

/** Letters of scripts in which a joiner or non-joiner between two of them is spelling (UAX #31 §2.3). */
const JOINING = ['Arab', 'Deva', 'Beng', 'Guru', 'Gujr', 'Orya', 'Taml', 'Telu', 'Knda', 'Mlym', 'Sinh', 'Khmr']
  .map((script) => String.raw`\p{scx=${script}}`)
  .join('');

/** Characters that hide elsewhere and belong here: emoji of several characters, joiners in such scripts, the wide space of East Asian text. */
const AT_HOME = [
  String.raw`\p{ExtPict}(?:\uFE0F|\p{EMod})?(?:\u200D\p{ExtPict}(?:\uFE0F|\p{EMod})?)*`,
  String.raw`[0-9#*]\uFE0F\u20E3`,
  String.raw`(?<=[${JOINING}])[\u200C\u200D](?=[${JOINING}])`,
  String.raw`(?<=[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}])\u3000`,
].join('|');

/** Runs of one deceptive character, or of others. */
const RUNS = new RegExp(String.raw`(?!${AT_HOME}|[\t\n ])([${DECEPTIVE}])\1*|(?:[\t\n ]|${AT_HOME}|[^${DECEPTIVE}])+`, 'gu');

const WARNINGS = {
  blind: 'This could be the digest of anything.',
  duplicate_keys: 'One object has a key twice: either value may count.',
  hidden_characters: 'Characters that hide or reorder others are named where they stand.',
  similar_keys: 'One object has two keys that differ by case alone: either value may count.',
  mixed_scripts: 'A word mixes letters of several scripts, which may look alike.',
  reordered: 'Text from right to left stands beside other text or several numbers: they may be read in another order than is signed.',
  stray_marks: 'Marks are put on letters that may strike them out or cover them.',
  gap: 'A gap may push what follows out of sight.',
  long: 'It is long: read it to its end.',
};

/**
 * A message, or a purpose, as a human should see it before they sign: text with what hides in it made visible, JSON indented and otherwise as
 * it stands, with every digit, and all else in hexadecimal.
 *
 * @example
 * ```js
 * const { kind, segments, warnings } = describe(request.message);
 * for (const { text, hidden } of segments) {
 *   const span = document.createElement('span');
 *   span.textContent = text;
 *   span.className = hidden ? 'hidden-character' : '';
 *   preview.append(span);
 * }
 * ```
 * Warnings tell of all that is not plain: whatever is not shown in its order, in one script a word, in full view, and without marks that cover.
 *
 * @throws {CountersignError} `invalid_message` unless it is a `Uint8Array` or a text.
 */
export function describe(given: Uint8Array | string): Description {
  const message = typeof given === 'string' ? new TextEncoder().encode(given) : given;
  const decoded = decode(message);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells a digest from a text
  const isOpaque = DIGESTS.includes(message.length) && (decoded === undefined || /[\0-\x08\x0E-\x1F\x7F]/.test(decoded));
  const text = isOpaque ? undefined : decoded;
  const isBlind = isOpaque || (text !== undefined && (isHexOfDigest(text) || isOneToken(text)));
  const json = text === undefined ? undefined : prettyJson(text);
  const segments = text === undefined ? [{ text: hex(message, ' ') }] : split(json?.text ?? text);
  const shown = json?.text ?? text;
  const has = (holds: (text: string) => boolean) => shown !== undefined && holds(shown);
  const found = {
    blind: isBlind,
    duplicate_keys: json?.hasDuplicateKeys,
    similar_keys: json?.hasSimilarKeys,
    hidden_characters: segments.some((segment) => segment.hidden),
    mixed_scripts: has(mixesScripts),
    reordered: has(mayReorder),
    stray_marks: has(hasStrayMarks),
    gap: has(hasGap),
    long: has(isLong),
  };
  const codes = (Object.keys(WARNINGS) as (keyof typeof WARNINGS)[]).filter((code) => found[code]);
  return {
    kind: isBlind ? 'blind' : json ? 'json' : text === undefined ? 'binary' : 'text',
    segments,
    text: segments.map((segment) => segment.text).join(''),
    warnings: codes.map((code) => ({ code, message: WARNINGS[code] })),
  };
}

/**
 * The SHA-256 of a message (FIPS 180-4) in hexadecimal, by which two people, or one with two devices, can compare what they see.
 *
 * @throws {CountersignError} `insecure_context` where there is no `crypto.subtle`: browsers give it to https pages and localhost.
 */
export async function digest(message: Uint8Array): Promise<string> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) {
    throw new CountersignError('insecure_context', 'No crypto.subtle here: pages get it from https or localhost only.');
  }
  return hex(new Uint8Array(await subtle.digest('SHA-256', message as BufferSource)), '');
}

/** The text, with a byte order mark left in to be seen; undefined where it is no UTF-8. */
function decode(message: Uint8Array): string | undefined {
  if (!isBytes(message)) throw new CountersignError('invalid_message', 'a message is a Uint8Array');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(message);
  } catch {
    return undefined;
  }
}

function split(text: string): Segment[] {
  return Array.from(text.matchAll(RUNS), ([run, character]) => {
    if (character === undefined) return { text: run };
    const hidden = `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
    const count = run.length / character.length;
    return { text: count > 1 ? `⟨${hidden} ×${count}⟩` : `⟨${hidden}⟩`, hidden };
  });
}

function isHexOfDigest(text: string): boolean {
  const digits = /^(?:0x)?([\da-f]+)$/i.exec(text.replace(/[\s:.-]/g, ''))?.[1];
  return digits !== undefined && DIGESTS.includes(digits.length / 2);
}

function hex(bytes: Uint8Array, between: string): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);
}
