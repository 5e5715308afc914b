// Other packages, for what is installed to find beside itself.
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directory } from './package.mjs';

const modules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules');

/** Puts packages of this repository's beside the installed one. */
export function place(...names) {
  for (const name of names) {
    const at = join(directory, 'node_modules', name);
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(join(modules, name), at);
  }
}
