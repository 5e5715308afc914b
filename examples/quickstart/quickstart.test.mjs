// A stranger's afternoon: the packed client, installed into an empty folder, and the example as its README runs it.

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { Cleanups, freePort, PATIENCE, Wallet, World } from '../../clients/typescript/tests/world.mjs';
import { command, examples, execute } from '../tests/documented.mjs';

const PROGRAM = join(examples, 'quickstart/quickstart.mjs');
const cleanups = new Cleanups();
let folder;
let world;
let port;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-quickstart-'));
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await cp(PROGRAM, join(folder, 'quickstart.mjs'));
  const [npm, install, tarball] = await command('quickstart', 'npm install');
  // Nothing else is needed, so no registry is either.
  await execute(npm, [install, '--offline', join(examples, '../clients/typescript', tarball)], { cwd: folder });
  port = String(await freePort());
  world = await World.start('--no-rate-limit', '--webhook-target', `http://127.0.0.1:${port}/hook`);
});
afterEach(() => cleanups.run());
after(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs it as documented, for a wallet that does as `decide` says. */
async function run(decide) {
  const wallet = await new Wallet(world.ws, decide).connect();
  cleanups.add(() => wallet.close());
  const [node, ...args] = await command('quickstart', 'node quickstart.mjs');
  const env = { PATH: process.env.PATH, COUNTERSIGN_URL: world.url, PORT: port };
  const words = args.map((word) => word.replace('<public_key>', wallet.publicKey));
  return execute(node, words, { cwd: folder, env, timeout: PATIENCE.timeout });
}

test('a verified signature, receipt and webhook in under 30 lines', PATIENCE, async () => {
  const lines = (await readFile(PROGRAM, 'utf8')).trim().split('\n');
  assert.ok(lines.length < 30, `${lines.length} lines`);
  const { stdout, stderr } = await run();
  assert.equal(stderr, '');
  const [receipt, signature, webhook, ...rest] = stdout.trim().split('\n').sort();
  assert.equal(receipt, 'receipt: signed by human');
  assert.match(signature, /^signature: [A-Za-z0-9+/]{86}==$/);
  assert.equal(webhook, 'webhook: signed');
  assert.deepEqual(rest, []);
});

test('a human who declines ends it with the reason', PATIENCE, async () => {
  const declined = run(() => ({ code: 'user_rejected', reason: 'not today' }));
  await assert.rejects(declined, ({ code, stderr, stdout }) => {
    assert.equal(code, 1);
    assert.match(stderr, /RejectedError: rejected: /);
    assert.doesNotMatch(stdout, /signature|webhook: signed/);
    return true;
  });
});
