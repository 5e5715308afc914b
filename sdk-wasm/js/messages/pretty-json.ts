/** JSON as a human should see it. @internal */
export interface PrettyJson {
  readonly text: string;
  readonly hasDuplicateKeys: boolean;
  /** Keys of one object that many readers take for one. */
  readonly hasSimilarKeys: boolean;
}

/** Deeper than that, indenting would take more room than the text. */
const DEEPEST = 32;

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * A JSON object or array (RFC 8259) on indented lines, its numbers and strings as they are written. Undefined where it is neither, or
 * nested more than 32 deep.
 *
 * @internal
 */
export function prettyJson(source: string): PrettyJson | undefined {
  if (!/^\s*[[{]/.test(source) || !isJson(source)) return undefined;
  /** Of each object that is open, by how many readers fold them. */
  const keys: Map<string, Set<string>>[] = [];
  let text = '';
  let before = '';
  let hasDuplicateKeys = false;
  let hasSimilarKeys = false;
  const line = () => `\n${'  '.repeat(keys.length)}`;
  for (const [token] of source.matchAll(TOKENS)) {
    const isEnd = token === '}' || token === ']';
    if (isEnd) keys.pop();
    const isFirst = before === '{' || before === '[';
    if (isEnd ? !isFirst : isFirst || before === ',') text += line();
    if (token === ':') {
      // As it is read, not as it is written: "a" and "\u0061" are one key.
      const key = String(JSON.parse(before));
      const folded = key.normalize('NFKC').toLowerCase();
      const alike = keys.at(-1)?.get(folded) ?? new Set();
      hasDuplicateKeys ||= alike.has(key);
      keys.at(-1)?.set(folded, alike.add(key));
      hasSimilarKeys ||= alike.size > 1;
    }
    text += token === ':' ? ': ' : token;
    before = token;
    if (token === '{' || token === '[') keys.push(new Map());
    if (keys.length > DEEPEST) return undefined;
  }
  return { text, hasDuplicateKeys, hasSimilarKeys };
}

function isJson(source: string): boolean {
  try {
    JSON.parse(source);
    return true;
  } catch {
    return false;
  }
}
