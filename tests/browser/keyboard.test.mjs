// Without a mouse.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

scenario(world, 'a request is made, found and approved by keyboard alone', async ({ tab }) => {
  const { keyboard } = tab.page;
  await tab.tabTo(tab.backend.locator.getByRole('textbox', { name: 'Message' }));
  await keyboard.press('Control+A');
  await keyboard.type('typed, not clicked');
  await tab.tabTo(tab.backend.locator.getByRole('textbox', { name: 'Purpose' }));
  await keyboard.press('Enter');

  const way = tab.backend.locator.getByRole('link', { name: 'Go to the request in the wallet' });
  await tab.tabTo(way);
  await keyboard.press('Enter');
  const approve = tab.wallet.button('Approve');
  await tab.tabTo(approve);
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  await keyboard.press('Enter');
  await tab.wallet.sees('Signed and delivered.');
  await tab.tabTo(tab.wallet.locator.getByRole('link', { name: 'See the answer' }));
  await keyboard.press('Enter');
  await tab.backend.sees('Signature verified');
  assert.equal(await tab.prompts(), 1);
});

scenario(world, 'Escape steps back, Enter declines', async ({ tab }) => {
  const { keyboard } = tab.page;
  const decline = tab.wallet.button('Decline');
  const reason = tab.wallet.field('Reason');
  await tab.backend.field('Message').first().focus();
  await keyboard.press('Control+Enter');
  await tab.tabTo(tab.backend.locator.getByRole('link', { name: 'Go to the request in the wallet' }));
  await keyboard.press('Enter');
  await tab.tabTo(decline);
  await tab.page.locator('[data-part=decline]:not([aria-disabled])').waitFor();
  await keyboard.press('Enter');
  assert.ok(await reason.evaluate((field) => field === document.activeElement));
  await keyboard.press('Escape');
  assert.ok(await decline.evaluate((button) => button === document.activeElement));
  await keyboard.press('Enter');
  await keyboard.type('not now');
  await keyboard.press('Enter');
  await tab.wallet.sees('Declined. Nothing was signed.');
  await tab.backend.sees('not now');
});

scenario(world, 'Escape in the form stops waiting', async ({ tab }) => {
  await tab.backend.field('Purpose').focus();
  await tab.page.keyboard.press('Enter');
  await tab.wallet.sees('asks you to sign');
  await tab.page.keyboard.press('Escape');
  await tab.wallet.sees('Withdrawn by the requester.');
  await tab.backend.sees('You stopped waiting');
});

scenario(world, 'a screen reader hears a request come and end', async ({ tab }) => {
  const spoken = tab.page.locator('#announcer');
  await tab.ask({ message: 'Open the gate' });
  await spoken.filter({ hasText: 'asks for your signature: Open the gate' }).waitFor({ state: 'attached' });
  await tab.approve();
  await spoken.filter({ hasText: 'Signed and delivered.' }).waitFor({ state: 'attached' });
});
