// What an example's README has one type.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const examples = fileURLToPath(new URL('..', import.meta.url));
export const execute = promisify(execFile);

/** The one command of an example's README that begins so, as its words. */
export async function command(example, beginning) {
  const readme = await readFile(join(examples, example, 'README.md'), 'utf8');
  const lines = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block.trim().split('\n'));
  const found = lines.filter((line) => line.startsWith(beginning));
  if (found.length !== 1) throw new Error(`${example}/README.md has ${found.length} commands ${beginning}…`);
  return found[0].split(' ');
}
