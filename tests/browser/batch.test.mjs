// Several messages in one prompt.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

const answers = async (tab) => (await tab.answer()).requests;
const item = (tab, n) =>
  tab.wallet.locator
    .getByRole('listitem')
    .filter({ hasText: `Message ${n} of 2` })
    .last();

scenario(world, 'two messages are shown in one prompt and approved in one go', async ({ tab, prompts }) => {
  await tab.ask({ several: true, message: 'the first', purpose: 'Both' });
  await tab.wallet.sees('asks you to sign 2 messages');
  await tab.wallet.sees('the first');
  await tab.wallet.sees('reference 2042');
  await tab.wallet.sees('Both');
  assert.match(await tab.page.title(), /^\(2\) /);
  await tab.press('Approve all');
  await tab.wallet.sees('All 2: Signed and delivered.');
  await tab.backend.sees('All 2 signatures verified');
  const [first, second] = await answers(tab);
  assert.ok(verifies(first, 'the first'));
  assert.ok(verifies(second, await tab.backend.field('Second message').inputValue()));
  assert.deepEqual(prompts.seen(), ['new']);
  assert.deepEqual(prompts.ids(), [first.request_id, second.request_id]);
});

scenario(world, 'one by one, each has its own outcome', async ({ tab, prompts }) => {
  await tab.ask({ several: true, message: 'the first' });
  await tab.oneByOne();
  await tab.press('Decline message 2');
  await item(tab, 2).getByText('Declined. Nothing was signed.').waitFor();
  await tab.press('Approve rest');
  await tab.wallet.sees('1 of 2 signed and delivered.');
  await item(tab, 1).getByText('Signed and delivered.').waitFor();
  await item(tab, 2).getByText('Declined. Nothing was signed.').waitFor();
  await tab.backend.sees('1 of 2 signed and verified');
  const states = (await answers(tab)).map(({ state }) => state);
  assert.deepEqual(states, ['signed', 'rejected']);
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'all are declined with one reason, and go to the earlier ones each by itself', async ({ tab, prompts }) => {
  await tab.ask({ several: true, message: 'the first' });
  await tab.press('Decline all');
  await tab.wallet.field('Reason').fill('Not these');
  await tab.press('Decline all');
  await tab.wallet.sees('All 2: Declined. Nothing was signed.');
  await tab.backend.sees('0 of 2 signed and verified');
  assert.deepEqual(
    (await answers(tab)).map(({ error }) => error.reason),
    ['Not these', 'Not these'],
  );
  await tab.backend.field('Two messages in one prompt').uncheck();
  await tab.ask({ message: 'another' });
  await tab.wallet.sees('another');
  assert.equal(await tab.page.locator('#history-rows .row').count(), 2);
  await tab.approve();
  await tab.backend.sees('Signature verified');
  assert.deepEqual(prompts.seen(), ['new', 'new']);
});

scenario(world, 'a batch that its backend gives up is withdrawn as a whole', async ({ tab, prompts }) => {
  await tab.ask({ several: true });
  await tab.wallet.button('Approve all').waitFor();
  await tab.backend.button('Cancel').click();
  await tab.wallet.sees('All 2: Withdrawn by the requester.');
  assert.equal(await tab.wallet.button('Approve all').count(), 0);
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'a batch is decided by keyboard alone', async ({ tab, prompts }) => {
  const { keyboard } = tab.page;
  await tab.backend.field('Two messages in one prompt').check();
  await tab.backend.field('Message').first().focus();
  await keyboard.press('Control+Enter');
  await tab.tabTo(tab.backend.locator.getByRole('link', { name: 'Go to the request in the wallet' }));
  await keyboard.press('Enter');
  await tab.tabTo(tab.wallet.button('One by one'));
  await keyboard.press('Enter');
  await tab.tabTo(tab.wallet.button('Approve message 1'), 'Shift+Tab');
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').first().waitFor();
  await keyboard.press('Enter');
  await item(tab, 1).getByText('Signed and delivered.').waitFor();
  await tab.tabTo(tab.wallet.button('Approve rest'));
  await keyboard.press('Enter');
  await tab.wallet.sees('All 2: Signed and delivered.');
  await tab.tabTo(tab.wallet.locator.getByRole('link', { name: 'See the answer' }));
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(
  world,
  'a batch keeps to its side where the two halves stand close',
  async ({ tab, prompts }) => {
    await tab.ask({ several: true, message: 'w'.repeat(300), hex: false });
    await tab.oneByOne();
    await tab.press('Decline message 2');
    await tab.wallet.button('Approve rest').waitFor();
    const wide = await tab.page.evaluate(() => {
      // The prompt's own edge, wherever it stands.
      const edge = document.querySelector('#requests')?.getBoundingClientRect().right ?? 0;
      return [...document.querySelectorAll('#requests *')]
        .filter((part) => part.getBoundingClientRect().right > edge)
        .map(({ className }) => className);
    });
    assert.deepEqual(wide, []);
    await tab.readOn();
    await tab.press('Approve rest');
    await tab.backend.sees('1 of 2 signed and verified');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  // High enough for the prompt to stay in its place.
  { viewport: { width: 760, height: 1600 } },
);
