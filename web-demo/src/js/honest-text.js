// What a reader cannot see, or what changes how the rest is read: controls (tab and line feed are shown as
// themselves), text direction, zero-width and other ignorable characters, unusual spaces, private use, unassigned.
// U+FE0F only asks for the coloured form of an emoji.
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}]/u;
const PLAIN = new Set(['\t', '\n', ' ', '\u{FE0F}']);

/**
 * Splits a text into runs shown as they are and characters that must be named: `{ text }` or `{ named: 'U+202E' }`.
 */
export function honestRuns(text) {
  const runs = [];
  let plain = '';
  const flush = () => {
    if (plain) runs.push({ text: plain });
    plain = '';
  };
  for (const character of text) {
    if (PLAIN.has(character) || !DECEPTIVE.test(character)) {
      plain += character;
    } else {
      flush();
      runs.push({ named: `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}` });
    }
  }
  flush();
  return runs;
}
