// What the package's README says about reading before signing, run as it is written.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { barePage } from './bare-page.mjs';
import { inRepository, world as newWorld } from './harness.mjs';

const README = readFileSync(inRepository('sdk-wasm/README.md'), 'utf8');
const example = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code).find((code) => code.includes('whenRead')) ?? '';

const PAGE = `import { describe, Key, Wallet } from './countersign/browser.js';
const message = document.createElement('pre');
const approve = document.createElement('button');
message.id = 'message';
message.tabIndex = 0;
message.style.cssText = 'height: 6em; overflow: auto';
approve.id = 'approve';
approve.disabled = true;
document.body.append(message, approve);
const wallet = new Wallet({ key: await Key.generate(), store: false });
{
${example}
}
await wallet.connect();
console.log(wallet.publicKey);
`;

const world = newWorld({ webRoot: barePage({ 'main.js': PAGE }), store: true });

test('the button is there and the backend is told once the end was seen', async () => {
  assert.ok(example !== '');
  const page = await (await world.newContext()).newPage();
  const [said] = await Promise.all([page.waitForEvent('console'), page.goto(world.server.url)]);
  const asks = async (text) =>
    (
      await world.server.sendToSign(
        { public_key: said.text(), message: Buffer.from(text).toString('base64') },
        { headers: { prefer: 'respond-async' } },
      )
    ).body.request_id;
  const state = async (id) => (await world.server.request(id)).state;

  const short = await asks('short');
  await page.locator('#approve:enabled').click();
  assert.equal((await world.server.request(short, { waitSeconds: 30 })).state, 'signed');

  const long = await asks('line\n'.repeat(100));
  await page.getByText('line').waitFor();
  await page.locator('#message').evaluate((message) => message.scrollTo(0, 300));
  // Two frames: what the first has drawn, the observer has told of by the second.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.ok(await page.locator('#approve').isDisabled());
  assert.equal(await state(long), 'received');
  await page.locator('#message').focus();
  await page.keyboard.press('End');
  await page.locator('#approve:enabled').waitFor();
  assert.equal(await state(long), 'displayed');
  await page.locator('#approve').click();
  assert.equal((await world.server.request(long, { waitSeconds: 30 })).state, 'signed');
});
