// Every operation of the description, tried by schemathesis: by examples, at the edges of the schemas, by chance, and along the links. What it is told
// of the API beside the description is in hooks.py, what it is not to check in schemathesis.toml, each with a reason.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ForeignWallet } from '../foreign/client.mjs';
import { startServer } from '../foreign/server.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const description = join(here, '../../server/src/http/api/openapi.json');
const python = process.env.COUNTERSIGN_PYTHON ?? join(here, '../../target/openapi/bin/python');
const program = join(dirname(python), 'schemathesis');
// RFC 8032 §7.1, test 1: its key is the one of the examples, and of hooks.py.
const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
/** More of everything: `make openapi-fuzz`. */
const more = process.env.SCHEMATHESIS?.split(' ');
const same = ['--max-examples', '25', '--seed', '1042', '--generation-deterministic'];

/** Runs it in a folder of its own, since it leaves files where it is. */
async function run(folder, http, signal) {
  assert.ok(existsSync(program), `${program} is missing: make openapi-python`);
  const args = ['--config-file', join(here, 'schemathesis.toml'), '--no-color', 'run', description, '--url', http, ...(more ?? same)];
  const env = { ...process.env, SCHEMATHESIS_HOOKS: join(here, 'hooks.py'), PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0' };
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (told += text));
  const [code] = await once(child, 'close');
  return { code, told };
}

test('what schemathesis makes of the description holds', { timeout: more ? undefined : 900_000 }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-schemathesis-'));
  const api = JSON.parse(await readFile(description, 'utf8'));
  const webhook = api.paths['/v1/send_to_sign'].post.requestBody.content['application/json'].examples.queued.value.webhook;
  const server = await startServer('--data-dir', join(folder, 'data'), '--webhook-target', webhook, '--no-rate-limit', '--log=error');
  let connected;
  let wallet;
  try {
    await new Promise((resolve) => {
      const report = ({ event }) => event === 'connected' && resolve(undefined);
      wallet = new ForeignWallet({ url: server.ws, seed, report });
      connected = wallet.run();
    });
    const { code, told } = await run(folder, server.http, context.signal);
    assert.equal(code, 0, told);
    for (const [line] of told.matchAll(/^.*(API Links:|generated,|Seed:|passed|warning).*$/gm)) context.diagnostic(line.trim());
    // Each of them is followed in openapi.test.mjs; here as chance has it.
    const [, covered] = told.match(/API Links: +(\d+) covered/) ?? [];
    assert.ok(Number(covered) > 5, `links were followed\n${told}`);
  } finally {
    wallet?.close();
    await connected;
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
