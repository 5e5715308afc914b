// The command that the page offers, run by a real shell and a real curl.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { verify } from 'node:crypto';
import { promisify } from 'node:util';
import { world as newWorld } from './harness.mjs';
import { publicKeyObject } from './keys.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();
const run = promisify(execFile);
const AWKWARD = `it's "quoted", $HOME, \`id\`, \\ and 🦊\nsecond line`;

scenario(world, 'the curl line gets a signature over exactly what the form says', async ({ tab, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await tab.backend.field('Message').first().fill(AWKWARD);
  await tab.backend.field('Purpose').fill(`it's "for" $HOME`);
  await tab.backend.button('Copy the curl command').click();
  await tab.backend.sees('Copied');
  const copied = await tab.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, await tab.backend.locator.getByRole('group', { name: 'The curl command' }).innerText());

  const answer = run('sh', ['-c', copied]);
  await tab.wallet.sees(`it's "for" $HOME`);
  await tab.approve();
  const { signature, public_key, message } = JSON.parse((await answer).stdout);
  assert.equal(Buffer.from(message, 'base64').toString(), AWKWARD);
  assert.ok(verify(null, Buffer.from(AWKWARD), publicKeyObject(public_key), Buffer.from(signature, 'base64')));
});

scenario(world, 'the key is copied whole', async ({ tab, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await tab.wallet.button('Copy the public key').click();
  await tab.wallet.sees('Copied');
  assert.equal(await tab.page.evaluate(() => navigator.clipboard.readText()), await tab.publicKey());
});
