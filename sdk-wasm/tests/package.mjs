// Installs the packed package into an empty directory, as a user would, and imports it from there.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const directory = mkdtempSync(join(tmpdir(), 'countersign-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', join(root, 'countersign-0.1.0.tgz')], {
  cwd: directory,
  stdio: ['ignore', 'ignore', 'inherit'],
});
writeFileSync(join(directory, 'entry.js'), "export * from 'countersign';");
writeFileSync(join(directory, 'import.js'), 'export const load = (name) => import(name);');

export const installed = join(directory, 'node_modules', 'countersign');
/** @type {typeof import('countersign')} */
export const countersign = await import(pathToFileURL(join(directory, 'entry.js')).href);
export const { load } = await import(pathToFileURL(join(directory, 'import.js')).href);
export const { CountersignError, describe, digest, Key, MemoryPolicyStore, Wallet, init, verify } = countersign;
