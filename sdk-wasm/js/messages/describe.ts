import { CountersignError } from '../common/errors.js';
import { prettyJson } from './pretty-json.js';

/**
 * What kind of message is to be signed. `text`: UTF-8. `json`: a JSON object or array (RFC 8259). `binary`: anything else.
 * `blind`: as long as a digest and no text a person could read, or the hex of one: it may stand for anything at all.
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
  readonly code: 'blind' | 'duplicate_keys' | 'hidden_characters' | 'mixed_scripts' | (string & {});
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

/** Runs of one deceptive character, or of others. U+FE0F behind an emoji only asks for its coloured form. */
const RUNS = new RegExp(String.raw`(?![\t\n ])([${DECEPTIVE}])\1*|(?:[\t\n ]|\p{ExtPict}\uFE0F|[^${DECEPTIVE}])+`, 'gu');

const WARNINGS = {
  blind: 'This could be the digest of anything.',
  duplicate_keys: 'One object has a key twice: either value may count.',
  hidden_characters: 'Characters that hide or reorder others are named where they stand.',
  mixed_scripts: 'A word mixes Latin with Greek or Cyrillic letters that look alike.',
};

/**
 * A message as a human should see it before they sign: text with what hides in it made visible, JSON indented and otherwise as
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
 * @throws {CountersignError} `invalid_message` unless it is a `Uint8Array`.
 */
export function describe(message: Uint8Array): Description {
  const decoded = decode(message);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells a digest from a text
  const isOpaque = DIGESTS.includes(message.length) && (decoded === undefined || /[\0-\x08\x0E-\x1F\x7F]/.test(decoded));
  const text = isOpaque ? undefined : decoded;
  const isBlind = isOpaque || (text !== undefined && isHexOfDigest(text));
  const json = text === undefined ? undefined : prettyJson(text);
  const segments = text === undefined ? [{ text: hex(message, ' ') }] : split(json?.text ?? text);
  const found = {
    blind: isBlind,
    duplicate_keys: json?.hasDuplicateKeys,
    hidden_characters: segments.some((segment) => segment.hidden),
    mixed_scripts: text !== undefined && mixesScripts(text),
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
  if (!(message instanceof Uint8Array)) throw new CountersignError('invalid_message', 'a message is a Uint8Array');
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
  const digits = /^(?:0x)?([\da-f]+)$/i.exec(text.trim())?.[1];
  return digits !== undefined && DIGESTS.includes(digits.length / 2);
}

/** Word by word, so that its time is in proportion to the length of the text. */
function mixesScripts(text: string): boolean {
  const words = text.match(/\p{L}+/gu) ?? [];
  return words.some((word) => /\p{sc=Latn}/u.test(word) && /[\p{sc=Cyrl}\p{sc=Grek}]/u.test(word));
}

function hex(bytes: Uint8Array, between: string): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);
}
