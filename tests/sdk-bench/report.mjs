// Makes Markdown of what was measured.

import { KEY, LIBRARIES, NOBLE, SIZE_ONLY, TWEETNACL } from './libraries.mjs';

/**
 * @param rounds       by round and id: `{ sign, verify }` per second
 * @param sizes        by id: `{ total, wasm? }` in bytes
 * @param versionOf    gives a package's version
 * @param environment  `{ processor, cores, browserVersion, date, loadBefore, loadAfter, milliseconds }`
 */
export function report({ rounds, sizes, versionOf, environment }) {
  const rows = LIBRARIES.map((library) => [
    library.name,
    library.npm ? versionOf(library.npm) : '',
    ...['sign', 'verify'].flatMap((operation) => [
      count(median(rounds.map((rates) => rates[library.id][operation]))),
      relative(rounds, library, operation).toFixed(2),
    ]),
    size(sizes.get(library.id)),
  ]);
  rows.push([SIZE_ONLY.name, versionOf(SIZE_ONLY.npm), '–', '–', '–', '–', size(sizes.get(SIZE_ONLY.id))]);
  return [
    heading(environment, rounds.length),
    '',
    '| | version | signs per second | against `Key` | verifies per second | against `Key` | minified, `gzip -9`, bytes |',
    '|---|---|--:|--:|--:|--:|--:|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    conclusion(rounds),
  ].join('\n');
}

/** The middle one, or the mean of the two in the middle. */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

function heading({ processor, cores, browserVersion, date, loadBefore, loadAfter, milliseconds }, rounds) {
  return (
    `${processor}, ${cores} cores; Chromium ${browserVersion}; ${date}. Load average before ${loadBefore.toFixed(2)}, ` +
    `after ${loadAfter.toFixed(2)}. Medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${milliseconds} ms for each figure; messages of 256 bytes.`
  );
}

/** The median of the rounds' ratios, as machines slow down and speed up between rounds. */
function relative(rounds, { id }, operation) {
  return median(rounds.map((rates) => rates[id][operation] / rates[KEY.id][operation]));
}

function conclusion(rounds) {
  const compared = [...NOBLE, TWEETNACL].map((library) => ({ library, times: 1 / relative(rounds, library, 'sign') }));
  const slower = compared.filter(({ times }) => times <= 1);
  const said = compared.map(({ library, times }) => `${times.toFixed(2)} times as fast as ${library.name}`).join('; ');
  const verdict =
    slower.length === 0
      ? 'Signing is faster than with @noble/ed25519 and with tweetnacl'
      : `Signing is **not** faster than with ${slower.map(({ library }) => library.name).join(' and ')}`;
  return `${verdict} in this run: \`Key\` signs ${said}.`;
}

const count = (number) => Math.round(number).toLocaleString('en');
const size = ({ total, wasm }) => (wasm === undefined ? count(total) : `${count(total)}, ${count(wasm)} of them .wasm`);
