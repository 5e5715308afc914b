// What the tests of both kinds of manifests read.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const packaging = join(root, 'packaging');
export const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
export const run = promisify(execFile);

/** A database of these tests' own: they run beside one, by `with_postgres`. */
export const database = () => {
  const prefix = process.env.COUNTERSIGN_TEST_POSTGRES;
  if (!prefix) throw new Error('no COUNTERSIGN_TEST_POSTGRES: make manifest-tests');
  return `${prefix}postgres`;
};

/** The documents of a YAML file, as Compose and Kubernetes read it: YAML 1.1, in which << merges. */
export async function documents(path) {
  const parsed = parseAllDocuments(await readFile(path, 'utf8'), { version: '1.1', merge: true });
  return parsed.map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors}`);
    return document.toJS();
  });
}

/** What the first group of a pattern has in a text. */
export function found(text, pattern) {
  const match = text.match(pattern);
  if (!match) throw new Error(`no ${pattern} in ${text}`);
  return match[1];
}

/** `0.1.0`, as in Cargo.toml. */
export const version = async () => found(await readFile(join(root, 'Cargo.toml'), 'utf8'), /^version = "(.+)"$/m);

/** The text of a fenced block in a document. */
export const documented = async (path, language) =>
  found(await readFile(join(root, path), 'utf8'), new RegExp(`\\n\`\`\`${language}\\n([^]*?)\`\`\`\\n`));

/** A program's folder before those of the system. */
export const environment = { PATH: `${dirname(binary)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` };
