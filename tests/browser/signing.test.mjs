// A request made on the right, decided on the left.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { until } from './until.mjs';
import { openTab, scenario } from './visit.mjs';

const world = newWorld();

scenario(world, 'an approved request brings a signature that the page itself verifies', async ({ tab }) => {
  await tab.ask({ message: 'Release 1.4.2 of payments', purpose: 'Deploy' });
  await tab.wallet.sees('asks you to sign');
  await tab.wallet.sees('Release 1.4.2 of payments');
  await tab.wallet.sees('25 bytes of text');
  await tab.wallet.sees('Deploy');
  await tab.wallet.sees('Purpose, as the requester claims it');
  await tab.wallet.locator
    .getByRole('timer')
    .getByText(/^(1:00|0:\d\d)$/)
    .waitFor();
  await tab.backend.sees('Waiting for the wallet');

  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  await tab.backend.sees('Signature verified');
  await tab.backend.sees("Checked in this page by the browser's own Ed25519 (WebCrypto).");
  await tab.backend.sees('200 signed');
  const answer = await tab.answer();
  assert.equal(answer.public_key, await tab.publicKey());
  assert.equal(atob(answer.message), 'Release 1.4.2 of payments');
  assert.equal(atob(answer.signature).length, 64);
  assert.equal(answer.approved_by, 'human');
  assert.equal(await tab.prompts(), 1);
});

scenario(world, 'without Ed25519 in WebCrypto the SDK checks, and the page says so', async ({ tab, context }) => {
  await context.addInitScript(() => {
    const importKey = SubtleCrypto.prototype.importKey;
    SubtleCrypto.prototype.importKey = function (format, data, algorithm, ...rest) {
      if (algorithm === 'Ed25519') return Promise.reject(new DOMException('no such algorithm', 'NotSupportedError'));
      // @ts-expect-error: passed on as it came
      return importKey.call(this, format, data, algorithm, ...rest);
    };
  });
  await tab.page.reload();
  await tab.connected();
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.backend.sees("Checked in this page by the SDK's own Ed25519 (WebAssembly).");
});

scenario(world, 'a declined request shows the reason to the backend', async ({ tab }) => {
  await tab.ask();
  await tab.press('Decline');
  await tab.wallet.field('Reason').fill('I did not order this');
  await tab.press('Decline');
  await tab.wallet.sees('Declined. Nothing was signed.');
  await tab.backend.sees('403 rejected');
  await tab.backend.sees('I did not order this');
  await tab.backend.sees('The person said no.');
  assert.equal(await tab.prompts(), 1);
});

scenario(world, 'a request nobody decides on expires on both sides', async ({ tab }) => {
  // Long enough to reach the page; that it was shown is counted at the end.
  await tab.ask({ seconds: 5 });
  await tab.backend.sees('504 timeout');
  await tab.backend.sees('Nobody decided in time.');
  await tab.wallet.sees('Expired. Nobody answered in time.');
  assert.equal(await tab.wallet.button('Approve').count(), 0);
  assert.equal(await tab.prompts(), 1);
});

scenario(world, 'a backend that cancels takes the prompt back', async ({ tab }) => {
  await tab.ask();
  await tab.wallet.button('Approve').waitFor();
  await tab.backend.button('Cancel').click();
  await tab.wallet.sees('Withdrawn by the requester.');
  await tab.backend.sees('Cancelled');
  assert.equal(await tab.wallet.button('Approve').count(), 0);
  assert.equal(await tab.prompts(), 1);
});

scenario(world, 'what the human is shown is what is signed: hidden characters are named, bytes are hex', async ({ tab }) => {
  await tab.ask({ message: 'pay 10\u202E0001 to\u200B Bob' });
  await tab.wallet.sees('U+202E');
  await tab.wallet.sees('U+200B');
  await tab.approve();
  await tab.backend.sees('Signature verified');

  await tab.ask({ message: 'ff00 10ab', hex: true });
  await tab.wallet.sees('ff 00 10 ab');
  await tab.wallet.sees('4 bytes, shown as hex');
  await tab.wallet.sees('Approve only if you expect exactly these bytes.');
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.wallet.locator.getByRole('heading', { name: 'Earlier' }).waitFor();
  assert.equal(await tab.prompts(), 2);
});

scenario(world, 'what the API refuses is shown with its code and what to do', async ({ tab }) => {
  await tab.backend.field("Signer's public key").fill('not a key');
  await tab.ask();
  await tab.backend.sees('400 invalid_public_key');
  await tab.backend.sees('use the key of the wallet on this page');
  await tab.backend.button("Use the wallet's").click();

  await tab.ask({ message: '' });
  await tab.backend.sees('400 invalid_message');
  const reserved = Buffer.concat([Buffer.from([0xff]), Buffer.from('countersign/anything')]).toString('hex');
  await tab.ask({ message: reserved, hex: true });
  await tab.backend.sees('400 reserved_prefix');
  await tab.ask({ message: 'aa', seconds: 0.5 });
  await tab.backend.sees('400 invalid_timeout');
  await tab.backend.sees('Wait between 1 second and 7 days.');

  await tab.backend.field("Signer's public key").fill('11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=');
  await tab.ask({ seconds: 60 });
  await tab.backend.sees('404 signer_not_connected');
  assert.equal(await tab.prompts(), 0);
});

scenario(world, 'what cannot be written as a request is refused at its field', async ({ tab }) => {
  await tab.ask({ message: 'abc', hex: true });
  await tab.backend.sees('Hex takes pairs of the digits 0 to 9 and a to f.');
  await tab.ask({ message: 'abcd', seconds: 'soon' });
  await tab.backend.sees('A number, please.');
  assert.equal(await tab.prompts(), 0);
});

scenario(world, 'a reload keeps the key, a new key replaces it', async ({ tab }) => {
  const first = await tab.publicKey();
  await tab.page.reload();
  await tab.connected();
  assert.equal(await tab.publicKey(), first);

  await tab.ask();
  await tab.wallet.button('Approve').waitFor();
  await tab.wallet.button('New key').click();
  await tab.backend.sees('403 rejected');
  await until('the form follows the wallet', async () => (await tab.publicKey()) !== first);
  await tab.connected();
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  assert.equal(await tab.prompts(), 2);
});

scenario(world, 'several requests wait side by side and end on their own', async ({ tab }) => {
  const { server } = world;
  const public_key = await tab.publicKey();
  const send = (text) => server.sendToSign({ public_key, message: btoa(text) });
  const card = (text) => {
    const locator = tab.wallet.locator.getByRole('listitem').filter({ hasText: text });
    return { locator, button: (name) => locator.getByRole('button', { name }) };
  };
  const first = send('the first');
  await card('the first').locator.waitFor();
  const second = send('the second');
  await tab.press('Approve', card('the second'));
  assert.equal((await second).status, 200);
  await until('the title counts one', async () => (await tab.page.title()).startsWith('(1) '));
  await tab.press('Approve', card('the first'));
  assert.equal((await first).status, 200);
  await until('the title counts none', async () => (await tab.page.title()) === 'Countersign');
  assert.equal(await tab.prompts(), 2);
});

scenario(world, 'a server that keeps nothing says so when it is asked to wait', async ({ tab }) => {
  const option = tab.backend.field('Let it wait for the wallet');
  await option.click();
  await tab.backend.sees(/^This server keeps nothing\./);
  assert.deepEqual([await option.isChecked(), await option.isDisabled()], [false, true]);
});

scenario(world, 'nothing on the page moves by itself while a request comes and is approved', async ({ tab, context }) => {
  await context.addInitScript(() => {
    window.__shift = 0;
    new PerformanceObserver((list) => {
      const shifts = /** @type {LayoutShift[]} */ (list.getEntries());
      for (const { hadRecentInput, value } of shifts) if (!hadRecentInput) window.__shift += value;
    }).observe({ type: 'layout-shift' });
  });
  await tab.page.close();
  const fresh = await openTab(context, world.server.url);
  // A page that is shown before it has come whole grows: that is before anything is asked.
  await fresh.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await fresh.page.evaluate(() => {
    window.__shift = 0;
  });
  const answer = world.server.sendToSign({ public_key: await fresh.publicKey(), message: btoa('from elsewhere') });
  await fresh.wallet.sees('from elsewhere');
  await fresh.approve();
  await fresh.wallet.sees('Signed and delivered.');
  assert.equal((await answer).status, 200);
  assert.equal(await fresh.page.evaluate(() => window.__shift), 0);
});

scenario(
  world,
  'the theme is switched and remembered',
  async ({ tab }) => {
    const background = () => tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const toggle = tab.page.getByRole('button', { name: 'Dark theme' });
    const light = await background();
    await toggle.click();
    const dark = await background();
    assert.notEqual(dark, light);
    assert.equal(await toggle.getAttribute('aria-pressed'), 'true');
    await tab.page.reload();
    await tab.connected();
    assert.equal(await background(), dark);
  },
  { colorScheme: 'light' },
);
