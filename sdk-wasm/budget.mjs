// Prints how much a page loads of each entry, by gzip -9, and fails where that is more than budget.json allows. What is loaded
// only when it is needed is not of its entry: budget.json names the two together.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const budget = JSON.parse(readFileSync('budget.json', 'utf8'));
const sizeOf = (file) => gzipSync(readFileSync(file), { level: 9 }).length;

const LATER = './ed25519.wasm';

/** A script, what it imports statically, and the .wasm it loads at once. */
function closure(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  if (!file.endsWith('.js')) return found;
  const script = readFileSync(file, 'utf8');
  for (const [, path] of script.matchAll(/(?:\bfrom|\bimport|\bnew URL\()\s*["'](\.\/[^"']+)["']/g)) {
    if (path !== LATER) closure(join(dirname(file), path), found);
  }
  return found;
}

/** The file of an entry. */
function fileOf(entry) {
  const file = exports[entry]?.default ?? exports[entry];
  if (typeof file !== 'string') throw new Error(`budget.json names ${entry}, which package.json does not export`);
  return file.replace('./', '');
}

for (const [entries, limit] of Object.entries(budget)) {
  const found = new Set();
  for (const entry of entries.split(' and ')) closure(fileOf(entry), found);
  const files = [...found];
  const total = (of) => of.reduce((sum, file) => sum + sizeOf(file), 0);
  const wasm = total(files.filter((file) => file.endsWith('.wasm')));
  const sum = total(files);
  const said = `${entries.replace('.', 'countersign')}: ${sum} of ${limit} bytes gzipped, ${wasm} of them .wasm, in ${files.length} files`;
  console.error(`sdk-wasm: ${said}`);
  if (sum > limit) {
    console.error(`sdk-wasm: ${sum - limit} bytes too many; budget.json holds the limits`);
    process.exitCode = 1;
  }
}
