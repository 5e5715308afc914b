// A fresh folder for each environment, with nothing installed in it but the packed package.

import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const { version } = JSON.parse(await readFile(join(root, 'sdk-wasm/package.json'), 'utf8'));

/** Where this folder's own node_modules has a program. */
export const tool = (name) => join(here, 'node_modules/.bin', name);

/** What `npm pack` made. */
export const tarball = join(root, `sdk-wasm/countersign-${version}.tgz`);

/**
 * Copies an app and installs the package beside it, as its user would.
 *
 * @param {string} name
 * @param {string} app
 * @param {{ entry?: string, type?: string, npm?: string[] }} options `entry`: where the app imports the package from, in place of
 *   'countersign'; `npm`: further arguments
 */
export async function folder(name, app, { entry = 'countersign', type = 'module', npm = [] } = {}) {
  const path = join(root, 'target/packaging', name);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  await cp(join(here, 'apps', app), path, { recursive: true });
  const serve = await readFile(join(here, 'apps/serve.js'), 'utf8');
  await writeFile(join(path, 'serve.js'), serve.replace("'countersign'", `'${entry}'`));
  await writeFile(join(path, 'package.json'), JSON.stringify({ private: true, type }));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...npm, tarball], { cwd: path });
  return path;
}

/** Puts packages of this folder beside the installed one. */
export async function link(path, names) {
  for (const name of names) {
    const at = join(path, 'node_modules', name);
    await mkdir(dirname(at), { recursive: true });
    await symlink(join(here, 'node_modules', name), at);
  }
}
