// The table of what each engine's humans were shown, and how the backend's requests ended.

/**
 * @typedef {{ prompts: string[], end: string }} Outcome
 * @typedef {Map<string, Map<string, Outcome>>} Outcomes by engine and case
 */

/**
 * What an engine is to make of a case.
 *
 * @param {import('./cases.mjs').Case} given
 * @param {string} engine
 */
export function expected({ prompts, end, except }, engine) {
  return { prompts: except?.[engine]?.prompts ?? prompts, end };
}

/**
 * @param {import('./cases.mjs').Case[]} cases
 * @param {Outcomes} outcomes
 * @param {Map<string, string>} versions of the engines
 */
export function table(cases, outcomes, versions) {
  const engines = [...outcomes.keys()];
  const rows = cases.map(({ name }) => [name, ...engines.map((engine) => cell(outcomes.get(engine)?.get(name)))]);
  const lines = [['prompts, end', ...engines.map((engine) => `${engine} ${versions.get(engine)}`)], ...rows];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const notes = cases.flatMap(({ name, except = {} }) =>
    Object.entries(except).map(([engine, { because }]) => `${engine}, ${name}: ${because}`),
  );
  return [...lines.map((line) => line.map((text, column) => text.padEnd(widths[column])).join('  ')), ...notes].join('\n');
}

function cell(outcome) {
  if (outcome === undefined) return 'FAILED';
  const shown = (kind) => outcome.prompts.filter((prompt) => prompt === kind).length;
  return `${shown('new')}${shown('resumed') > 0 ? ` + ${shown('resumed')} again` : ''}, ${outcome.end}`;
}
