// The README's quickstarts, run as they are written: only the port is another.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
const DOCUMENTED = '127.0.0.1:8080';
const children = [];
let folder;
let address;
let readme;

/** The first fenced block of a language that contains a text. */
function block(language, text) {
  const blocks = readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'));
  const found = [...blocks].map(([, code]) => code).find((code) => code.includes(text));
  assert.ok(found, `the README has a ${language} block with ${text}`);
  return found.replaceAll(DOCUMENTED, address);
}

/** Starts a program and waits for a line of its output. */
async function start(command, args, options, pattern) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.push(child);
  for await (const line of createInterface(child.stdout)) {
    const match = line.match(pattern);
    if (match) return match[1];
  }
  throw new Error(`${command} ended without ${pattern}`);
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-readme-'));
  readme = await readFile(join(root, 'README.md'), 'utf8');
  address = await start(binary, ['--listen', '127.0.0.1:0'], {}, /listening on http:\/\/(\S+)/);
});

after(async () => {
  for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    child.kill();
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
});

test('install, wallet and curl, as written', async () => {
  const [, tarball] = block('sh', 'npm install').match(/npm install (\S+)/);
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await run('npm', ['install', '--no-audit', '--no-fund', join(root, tarball)], { cwd: folder });
  await writeFile(join(folder, 'wallet.mjs'), block('js', '// wallet.mjs'));
  const key = await start(process.execPath, ['wallet.mjs'], { cwd: folder }, /reachable as (\S+)/);

  const curl = block('sh', 'curl ').replace('<the key from the page>', key);
  const { stdout } = await run('bash', ['-c', `${curl.trimEnd()} --silent --show-error --fail-with-body`]);
  const answer = JSON.parse(stdout);
  assert.deepEqual(Object.keys(answer), Object.keys(JSON.parse(block('json', 'request_id'))));
  assert.equal(answer.public_key, key);
  const x = Buffer.from(key, 'base64').toString('base64url');
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  assert.ok(verify(null, Buffer.from(answer.message, 'base64'), publicKey, Buffer.from(answer.signature, 'base64')));
});
