/**
 * Checks of whether a text is plain: shown in the order in which it is signed, in full view, each word in one script, no marks but those of a
 * script. Whatever is not is told by a name; there is no list of what deceives, since such lists do not end.
 */

/** More would fill a screen or two, and its end is easily not seen. */
const LONGEST_CHARACTERS = 2_000;
const LONGEST_LINES = 50;

/** Scripts in common use (UAX #31, table 5). Those of no list are plain by themselves too. */
const SCRIPTS =
  'Latn Grek Cyrl Armn Geor Hebr Arab Thaa Ethi Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Thai Laoo Tibt Mymr Khmr Hani Hira Kana Hang Bopo'.split(
    ' ',
  );

/** Those that are written together in one word (UTS #39 §5.2, highly restrictive). */
const TOGETHER = ['Latn Hani Hira Kana', 'Latn Hani Bopo', 'Latn Hani Hang'].map((scripts) => scripts.split(' '));

const of = (scripts: readonly string[]) => scripts.map((script) => String.raw`\p{scx=${script}}`).join('');

/** What belongs to any script. */
const ANY = of(['Zyyy', 'Zinh']);

const ONE_SCRIPT = new RegExp(
  `^(?:${[...SCRIPTS.map((script) => [script]), ...TOGETHER].map((scripts) => `[${ANY}${of(scripts)}]+`).join('|')}|[^${of(SCRIPTS)}]+)$`,
  'u',
);

/** The blocks whose letters run from right to left, those not assigned yet among them (UAX #44, DerivedBidiClass). */
const RIGHT_TO_LEFT = String.raw`\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFE\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}`;
const RUNS_LEFT = new RegExp(String.raw`(?=\p{L})[${RIGHT_TO_LEFT}]`, 'u');
const RUNS_RIGHT = new RegExp(String.raw`(?=\p{L})[^${RIGHT_TO_LEFT}]`, 'u');
const NUMBERS = /\p{Nd}+(?:[.,:/-]\p{Nd}+)*/gu;

/** Emoji as they are made of several characters, and keycaps. */
const EMOJI = /\p{ExtPict}(?:\uFE0F|\p{EMod})?(?:\u200D\p{ExtPict}(?:\uFE0F|\p{EMod})?)*|[0-9#*]\uFE0F?\u20E3/gu;

/** A mark on a letter with which it makes none of its own, where the script has no other marks, or a mark of no script. */
const STRAY_MARK = /[\p{sc=Latn}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Zyyy}]\p{M}|(?=\p{M})\p{scx=Zinh}|\p{Me}/u;

/** Whether letters of several scripts meet in one word. Word by word, so that its time is in proportion to the length of the text. @internal */
export function mixesScripts(text: string): boolean {
  return (text.match(/\p{L}[\p{L}\p{M}]*/gu) ?? []).some((word) => !ONE_SCRIPT.test(word));
}

/** Whether the order in which it is seen may not be the order in which it is signed. @internal */
export function mayReorder(text: string): boolean {
  return text.split('\n').some((line) => RUNS_LEFT.test(line) && (RUNS_RIGHT.test(line) || (line.match(NUMBERS)?.length ?? 0) > 1));
}

/** Whether marks may strike out or cover letters. @internal */
export function hasStrayMarks(text: string): boolean {
  // What is ignorable is named where it stands.
  return STRAY_MARK.test(
    text
      .normalize('NFC')
      .replace(EMOJI, '')
      .replace(/\p{DI}/gu, ''),
  );
}

/** Whether so much white space stands in it that what follows may be out of sight. @internal */
export function hasGap(text: string): boolean {
  return /\n(?:[^\S\n]*\n){3}|[^\S\n]{40}/u.test(text);
}

/** Whether its end may be out of sight. @internal */
export function isLong(text: string): boolean {
  return text.length > LONGEST_CHARACTERS || text.split('\n', LONGEST_LINES + 1).length > LONGEST_LINES;
}

/** Whether it is one token that does not read as words: the digest of anything may be spelled so, in hexadecimal, base64 or otherwise. @internal */
export function isOneToken(text: string): boolean {
  const token = text.trim();
  if (!/^[\w+/=:-]{26,}$/.test(token)) return false;
  return !token.split(/[-_:+/=]+/).every((part) => /^(?:\d*|[A-Z]?[a-z]*|[A-Z]+)$/.test(part));
}
