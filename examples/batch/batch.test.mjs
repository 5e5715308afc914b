// Payouts in prompts of sixteen: the packed client, installed into an empty folder, and the example as its README runs it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { verifyReceipt } from '../../clients/typescript/dist/index.js';
import { Cleanups, PATIENCE, Wallet, World } from '../../clients/typescript/tests/world.mjs';
import { command, examples, execute } from '../tests/documented.mjs';

const cleanups = new Cleanups();
let installed;
let folder;
let world;

before(async () => {
  installed = await mkdtemp(join(tmpdir(), 'countersign-batch-'));
  await writeFile(join(installed, 'package.json'), '{ "private": true }');
  const [npm, install, tarball] = await command('batch', 'npm install');
  await execute(npm, [install, '--offline', join(examples, '../clients/typescript', tarball)], { cwd: installed });
});
beforeEach(async () => {
  // In a folder of the one with the package, where it is found.
  folder = await mkdtemp(join(installed, 'run-'));
  await cp(join(examples, 'batch/batch.mjs'), join(folder, 'batch.mjs'));
  await cp(join(examples, 'batch/payouts.csv'), join(folder, 'payouts.csv'));
  world = await World.start('--no-rate-limit');
});
afterEach(async () => {
  await cleanups.run();
  await world?.stop();
});
after(() => rm(installed, { recursive: true, force: true }));

/** A wallet, whose prompts are its batches. */
async function wallet(decide) {
  const connected = await new Wallet(world.ws, decide).connect();
  cleanups.add(() => connected.close());
  return connected;
}

/** Starts it as documented. */
async function begin(publicKey) {
  const [program, ...args] = await command('batch', 'node ');
  const env = { PATH: process.env.PATH, COUNTERSIGN_URL: world.url };
  const words = args.map((word) => word.replace('<public_key>', publicKey));
  const child = spawn(program, words, { cwd: folder, env, timeout: PATIENCE.timeout });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code, lines: stdout.trim().split('\n'), stderr }));
  return { child, ended };
}

const run = async (publicKey) => (await begin(publicKey)).ended;
const kept = async () => JSON.parse(await readFile(join(folder, 'payouts.csv.receipts.json'), 'utf8'));
const text = ({ message }) => Buffer.from(message, 'base64').toString();

test('one prompt, and a receipt of each', PATIENCE, async () => {
  const human = await wallet((frame) => (text(frame).includes('Bob') ? { code: 'user_rejected' } : 'sign'));
  const { code, lines, stderr } = await run(human.publicKey);
  assert.equal(stderr, '');
  const printed = ['1001: signed (human)', '1002: rejected (rejected)', '1003: signed (human)', '2 of 3 signed'];
  assert.deepEqual([code, lines], [1, printed]);
  const readme = await readFile(join(examples, 'batch/README.md'), 'utf8');
  assert.ok(readme.includes(printed.join('\n')), 'the README says the same');

  const asked = [await human.asked.next(), await human.asked.next(), await human.asked.next()];
  assert.equal(new Set(asked.map(({ batch }) => batch.id)).size, 1, 'all are in one prompt');
  assert.match(text(asked[0]), /^Pay 25\.00 EUR to Alice\nPayout 1001 of run [0-9a-f]{16} at example\.com$/);

  // Without the server, and against what was asked.
  const { receipts, keys } = await kept();
  await world.terminate();
  for (const frame of asked) {
    const id = text(frame).match(/Payout (\d+)/)?.[1] ?? '';
    const claims = await verifyReceipt(receipts[id].receipt, keys, {
      message: Buffer.from(frame.message, 'base64'),
      publicKey: human.publicKey,
    });
    assert.equal(claims.state, receipts[id].state);
  }
  // Nothing is left to be asked, so that no server is needed either.
  assert.deepEqual((await run(human.publicKey)).lines, ['2 of 3 signed']);
});

test('a program that was killed asks nobody twice', PATIENCE, async () => {
  const rows = Array.from({ length: 17 }, (_, at) => `${2000 + at},${100 + at},Alice\n`);
  await writeFile(join(folder, 'payouts.csv'), rows.join(''));
  const human = await wallet(() => 'silent');
  const { child, ended } = await begin(human.publicKey);
  const asked = [];
  while (asked.length < 16) asked.push(await human.asked.next());
  child.kill('SIGKILL');
  await ended;
  await assert.rejects(kept(), { code: 'ENOENT' });

  const again = await begin(human.publicKey);
  for (const frame of asked) human.answer(frame, 'sign');
  const last = await human.asked.next();
  human.answer(last, 'sign');
  const { code, lines } = await again.ended;
  assert.deepEqual([code, lines.at(-1), lines.length], [0, '17 of 17 signed', 18]);
  assert.equal(human.prompts.length, 17, 'each once');
  assert.equal(new Set(asked.map(({ batch }) => batch.id)).size, 1);
  assert.equal(last.batch, undefined);
});

test('another file under the same name is refused, and so is nonsense', PATIENCE, async () => {
  const human = await wallet();
  assert.equal((await run(human.publicKey)).code, 0);
  await writeFile(join(folder, 'payouts.csv'), '1001,9900,Alice\n');
  const other = await run(human.publicKey);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /other payouts/);
  for (const nonsense of ['', '1,0,Alice', '1,5,Alice\n1,6,Bob', '1,5,Alice, Bob', '1,5', '1,5,a\u0007b', '../x,5,Alice']) {
    await writeFile(join(folder, 'payouts.csv'), nonsense);
    const refused = await run(human.publicKey);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /line \d is not an id/);
  }
  assert.equal(human.prompts.length, 3);
});
