// The quick start of the package's README, run as it is written: from a page of its own to a first signature.

import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { barePage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { publicKeyObject } from './keys.mjs';

const README = readFileSync(new URL('../../sdk-wasm/README.md', import.meta.url), 'utf8');
const [, QUICK_START] = README.match(/```js\n(.*?)```/s) ?? [];

// What a bundler or an import map does.
const MODULE = QUICK_START.replace("'countersign'", "'./countersign/browser.js'");

const world = newWorld({ webRoot: barePage({ 'main.js': MODULE }) });

test('fewer than twenty lines of their own bring a stranger to a first signature', async () => {
  assert.ok(QUICK_START.split('\n').filter((line) => line.trim() !== '').length < 20);

  const { server } = world;
  const context = await world.newContext();
  const page = await context.newPage();
  const asked = [];
  page.on('dialog', (dialog) => {
    asked.push(dialog.message());
    return dialog.accept();
  });
  const [said] = await Promise.all([page.waitForEvent('console'), page.goto(server.url)]);
  const [, publicKey] = said.text().match(/^reachable as (\S+)$/) ?? assert.fail(said.text());

  const message = Buffer.from('Pay 25 EUR to \u202eAlice');
  const { status, body } = await server.sendToSign({ public_key: publicKey, message: message.toString('base64') });
  assert.equal(status, 200);
  assert.ok(verify(null, message, publicKeyObject(publicKey), Buffer.from(body.signature, 'base64')));
  assert.equal(asked.length, 1);
  assert.match(asked[0], /^local backend asks you to sign:\n\nPay 25 EUR to ⟨U\+202E⟩Alice\n\n./);
});
