// The manual page beside what the program says of itself.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
/** What each command says of itself, by its words. */
const helps = new Map();
let page;

async function collect(words) {
  const { stdout } = await run(binary, [...words, '--help'], { env: {} });
  helps.set(words.join(' '), stdout);
  const [, below = ''] = stdout.match(/^Commands:\n((?: .*\n)*)/m) ?? [];
  for (const [, word] of below.matchAll(/^ {2}(\w[\w-]*)/gm)) {
    if (word !== 'help') await collect([...words, word]);
  }
}

before(async () => {
  await collect([]);
  page = await readFile(join(root, 'packaging/debian/countersign.1'), 'utf8');
});

test('it has every command, and no other', () => {
  // Some are nothing without a further word.
  const isWhole = ([words, help]) => words !== '' && /^(Usage:| {6}).* (?!<COMMAND>)\S+$/m.test(help.match(/^Usage:.*(\n {6}.*)*/m)[0]);
  const commands = [...helps].filter(isWhole).map(([words]) => words);
  const described = [...page.matchAll(/^\.TP\n\.BI? "?countersign ([a-z ]*[a-z])/gm)].map(([, words]) => words);
  assert.deepEqual(described.sort(), commands.sort());
  assert.ok(commands.includes('admin block') && commands.includes('token') && !commands.includes('admin'));
});

test('the options that it names are those of their command', () => {
  const all = [...helps.values()].join('\n');
  const paragraphs = page.split(/^(?=\.(?:TP|SS|SH)\b)/m);
  let count = 0;
  for (const paragraph of paragraphs) {
    const [, words] = paragraph.match(/^\.TP\n\.BI? "?countersign ([a-z ]*[a-z])/) ?? [];
    const help = words === undefined ? all : helps.get(words);
    for (const [option] of paragraph.matchAll(/(?<!\\-)\\-\\-[a-z](?:[a-z]|\\-)*/g)) {
      assert.match(help, new RegExp(`${option.replaceAll('\\-', '-')}\\b`), `${option} of ${words ?? 'the program'}`);
      count++;
    }
  }
  assert.ok(count > 20);
});
