// Verify it yourself, and the three steps that lead there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { openedPage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { until } from './until.mjs';
import { scenario } from './visit.mjs';

const world = newWorld({ webRoot: openedPage() });
const run = promisify(execFile);

const panel = (tab) => tab.page.getByRole('region', { name: 'Verify it yourself' });
const says = (tab, text) => panel(tab).getByText(text, { exact: true }).waitFor();
const bytes = (tab, name) => panel(tab).getByRole('group', { name, exact: true }).getByRole('button');
const guide = (tab) => tab.page.getByRole('region', { name: 'Three steps' });
const stands = (tab, step) => guide(tab).locator('[aria-current=step]').filter({ hasText: step }).waitFor();

async function sign(tab, message) {
  await tab.ask({ message });
  await tab.approve();
  await tab.backend.sees('Signature verified');
}

scenario(world, 'any byte that is flipped is noticed, and put right again', async ({ tab }) => {
  await says(tab, 'No signature yet');
  await sign(tab, 'hello');
  await says(tab, 'Valid');
  const { signature } = await tab.answer();
  const shown = await bytes(tab, 'Signature').allInnerTexts();
  assert.equal(shown.join(''), Buffer.from(signature, 'base64').toString('hex'));
  assert.deepEqual(await Promise.all(['Message', 'Signature', 'Public key'].map((name) => bytes(tab, name).count())), [5, 64, 32]);
  for (const name of ['Message', 'Signature', 'Public key']) {
    await bytes(tab, name).nth(3).click();
    await says(tab, 'Does not verify');
    await panel(tab).getByText("One bit is not as it was signed. Checked by the browser's own Ed25519 (WebCrypto).").waitFor();
    await bytes(tab, name).nth(3).click();
    await says(tab, 'Valid');
  }
  await bytes(tab, 'Message').first().click();
  await bytes(tab, 'Signature').first().click();
  await panel(tab)
    .getByText(/^2 bits are not/)
    .waitFor();
  await panel(tab).getByRole('button', { name: 'Put it right' }).click();
  await says(tab, 'Valid');
  assert.equal(await panel(tab).locator('[aria-pressed=true]').count(), 0);
});

scenario(world, 'bytes are reached and flipped by keyboard', async ({ tab }) => {
  await sign(tab, 'hello');
  await bytes(tab, 'Message').first().focus();
  await tab.page.keyboard.press('ArrowRight');
  await tab.page.keyboard.press('Enter');
  await says(tab, 'Does not verify');
  const flipped = panel(tab).getByRole('button', { name: 'Byte 2 of the message: 64' });
  assert.equal(await flipped.getAttribute('aria-pressed'), 'true');
  assert.ok(await flipped.evaluate((button) => button === document.activeElement));
  await tab.page.keyboard.press('End');
  await tab.page.keyboard.press('ArrowRight');
  assert.ok(
    await bytes(tab, 'Message')
      .last()
      .evaluate((button) => button === document.activeElement),
  );
  await tab.tabTo(bytes(tab, 'Signature').first());
});

scenario(world, 'the check that is copied runs elsewhere, and says the same', async ({ tab, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await sign(tab, 'take it with you');
  await panel(tab).getByText('The same check without this page').click();
  const copied = async () => {
    await panel(tab).getByRole('button', { name: 'Copy the check' }).click();
    return tab.page.evaluate(() => navigator.clipboard.readText());
  };
  const says = async (script) => (await run(process.execPath, ['--input-type=module', '--no-warnings', '-e', script])).stdout.trim();
  assert.equal(await says(await copied()), 'true');
  await bytes(tab, 'Message').first().click();
  await panel(tab).getByText('Does not verify').waitFor();
  assert.equal(await says(await copied()), 'false');
});

scenario(world, 'a long message is checked whole and shown in part', async ({ tab }) => {
  await sign(tab, 'x'.repeat(1000));
  await says(tab, 'Valid');
  await panel(tab).getByText('and 904 more').waitFor();
});

scenario(world, 'the three steps are done when the visitor has done them', async ({ tab }) => {
  await stands(tab, /^\s*1\s*Ask/);
  await tab.ask();
  await stands(tab, /^\s*2\s*Approve/);
  await tab.press('Decline');
  await tab.press('Decline');
  await guide(tab).getByText('No signature this time, and the backend was told why. Ask again.').waitFor();
  await stands(tab, /^\s*1\s*Ask/);
  await sign(tab, 'again');
  await stands(tab, /^\s*3\s*Verify/);
  await bytes(tab, 'Signature').first().click();
  await guide(tab).getByRole('link', { name: 'Now see it attacked' }).click();
  assert.equal(await guide(tab).locator('[aria-current=step]').count(), 0);
  assert.match(tab.page.url(), /#attack$/);
});

scenario(world, 'the steps stay away once they are sent away, and come back when asked', async ({ tab }) => {
  await guide(tab).getByRole('button', { name: 'Skip' }).click();
  assert.equal(await guide(tab).count(), 0);
  await tab.page.reload();
  await tab.connected();
  assert.equal(await guide(tab).count(), 0);
  await tab.page.getByRole('button', { name: 'Show me how' }).click();
  await stands(tab, /^\s*1\s*Ask/);
  await tab.page.reload();
  await tab.connected();
  assert.equal(await guide(tab).count(), 1);
});

scenario(world, 'a second key is a new one, and the old one is gone', async ({ tab }) => {
  await tab.wallet.sees('In this browser, cannot be exported');
  const before = await tab.publicKey();
  await tab.wallet.button('New key').click();
  const signer = tab.backend.field("Signer's public key");
  await until('another key', async () => (await signer.inputValue()) !== before);
  await tab.connected();
  const kept = await tab.page.evaluate(async () => {
    const { WebCryptoKey } = await import('./countersign/browser.js');
    return (await WebCryptoKey.open({ name: 'demo' })).publicKey;
  });
  assert.equal(kept, await tab.publicKey());
});
