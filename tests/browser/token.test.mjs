// A server that asks for a bearer token.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const token = randomBytes(24).toString('base64url');
const directory = mkdtempSync(join(tmpdir(), 'countersign-'));
const config = join(directory, 'config.toml');
writeFileSync(config, `[[token]]\nname = "Example Bank"\nsha256 = "${createHash('sha256').update(token).digest('hex')}"\n`);
after(() => rmSync(directory, { recursive: true }));

const world = newWorld({ args: ['--config', config] });

scenario(world, 'the page asks for the token, and the wallet shows whose it is', async ({ tab }) => {
  const field = tab.backend.field('Bearer token');
  assert.equal(await field.isVisible(), false);
  await tab.ask();
  await tab.backend.sees('401 unauthorized');
  await tab.backend.sees('Enter a bearer token of this server and ask again.');
  assert.equal(await tab.prompts(), 0);

  await field.fill('wrong');
  await tab.ask();
  await tab.backend.sees('401 unauthorized');
  await field.fill(token);
  await tab.backend.sees('Bearer $COUNTERSIGN_TOKEN');
  await tab.ask();
  await tab.wallet.sees('Example Bank');
  await tab.approve();
  await tab.backend.sees('Signature verified');
  assert.equal(await tab.prompts(), 1);
});
