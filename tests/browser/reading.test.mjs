// Nothing is approved that could not be read: what was seen, and what is told of it.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld({ store: true });

const LONG = `${Array.from({ length: 60 }, (_, line) => `Clause ${line + 1}: nothing of note.`).join('\n')}\nClause 61: everything is yours.`;

const state = async (id) => (await world.server.request(id)).state;

/** Asks for a signature over a text, written down so that its phases can be looked at. */
async function asks(tab, text) {
  const { body } = await world.server.sendToSign(
    { public_key: await tab.publicKey(), message: Buffer.from(text).toString('base64'), queue: true },
    { headers: { prefer: 'respond-async' } },
  );
  await tab.wallet.button('Decline').waitFor();
  return body.request_id;
}

const approve = (tab) => tab.wallet.button('Approve');
const isOffered = async (tab) => (await approve(tab).getAttribute('aria-disabled')) === null;
const armed = (tab) => tab.page.locator('.decide > [data-part=decline]:not([aria-disabled])').waitFor();
const more = (tab) => tab.wallet.button('Read on to approve');

scenario(world, 'a short message is seen at once', async ({ tab }) => {
  const id = await asks(tab, 'Open the gate');
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  assert.equal(await state(id), 'displayed');
  assert.equal(await more(tab).count(), 0);
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
});

scenario(world, 'a long one is scrolled to its end first, by mouse', async ({ tab }) => {
  const id = await asks(tab, LONG);
  await armed(tab);
  assert.equal(await isOffered(tab), false);
  await approve(tab).click({ force: true });
  assert.equal(await state(id), 'received', 'neither signed nor told to be shown');
  await tab.wallet.locator.locator('.content').hover();
  await tab.page.mouse.wheel(0, 300);
  assert.equal(await isOffered(tab), false);
  await tab.page.mouse.wheel(0, 10_000);
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  assert.equal(await state(id), 'displayed');
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
});

scenario(world, 'by keyboard alone, and no key press slips through to Approve', async ({ tab }) => {
  const id = await asks(tab, LONG);
  await armed(tab);
  await tab.page.locator('#requests').focus();
  await tab.tabTo(more(tab));
  await tab.page.evaluate(() => {
    document.body.dataset.clicked = '0';
    document.querySelector('[data-part=approve]')?.addEventListener('click', () => {
      document.body.dataset.clicked = 'more';
    });
  });
  // As somebody who holds the key, and does not stop at the end.
  while (await more(tab).isVisible()) await tab.page.keyboard.press('Enter');
  for (let press = 0; press < 5; press += 1) await tab.page.keyboard.press('Enter');
  assert.equal(await tab.page.evaluate(() => document.body.dataset.clicked), '0');
  assert.ok(await tab.wallet.locator.locator('.content').evaluate((content) => content === document.activeElement));
  assert.equal(await state(id), 'displayed');
  await tab.tabTo(approve(tab));
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  await tab.page.keyboard.press('Enter');
  await tab.wallet.sees('Signed and delivered.');
});

scenario(world, 'the keys of the message itself read it too', async ({ tab }) => {
  const id = await asks(tab, LONG);
  await tab.wallet.locator.locator('.content').focus();
  await tab.page.keyboard.press('End');
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  assert.equal(await state(id), 'displayed');
  await tab.press('Decline');
  await tab.press('Decline');
  await tab.wallet.sees('Declined. Nothing was signed.');
});

scenario(world, 'whoever does not see it declines all the same', async ({ tab }) => {
  const id = await asks(tab, LONG);
  await tab.press('Decline');
  await tab.press('Decline');
  await tab.wallet.sees('Declined. Nothing was signed.');
  assert.equal((await world.server.request(id)).times.displayed_ms, undefined);
});

scenario(world, 'what a hidden tab shows was seen by nobody', async ({ tab }) => {
  await tab.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
  });
  const id = await asks(tab, 'Open the gate');
  await armed(tab);
  assert.equal(await isOffered(tab), false);
  assert.equal(await state(id), 'received');
  await tab.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  assert.equal(await state(id), 'displayed');
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
});

scenario(world, 'one approval for several takes that all were read', async ({ tab }) => {
  const { answer } = backendAsks(world.server, await tab.publicKey(), '', {
    message: undefined,
    messages: ['Transfer 1', LONG].map((text) => Buffer.from(text).toString('base64')),
  });
  const all = tab.wallet.button('Approve all');
  await all.waitFor();
  await armed(tab);
  assert.equal(await all.getAttribute('aria-disabled'), 'true');
  await tab.oneByOne();
  await tab.page.locator('.apart [data-part=approve]:not([aria-disabled])').first().waitFor();
  assert.equal(await tab.wallet.button('Approve message 1').getAttribute('aria-disabled'), null);
  assert.equal(await tab.wallet.button('Approve message 2').getAttribute('aria-disabled'), 'true');
  await tab.wallet.locator.locator('.content').nth(1).focus();
  await tab.page.keyboard.press('End');
  await tab.page.locator('.decide > [data-part=approve]:not([aria-disabled])').waitFor();
  await all.click();
  const { status } = await answer;
  assert.equal(status, 200);
});

scenario(world, 'whatever it is made of, its end can be reached', async ({ tab }) => {
  const lines = 'line\n'.repeat(40);
  for (const text of [
    'x'.repeat(2_000),
    `${lines}\n\n`,
    `\n\n${lines}`,
    'שלום עולם '.repeat(120),
    `${'w '.repeat(600)}\u202e`,
    '界'.repeat(900),
  ]) {
    const id = await asks(tab, text);
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    assert.equal(typeof (await world.server.request(id)).times.displayed_ms, 'number');
  }
  await tab.ask({ message: 'ff00'.repeat(400), hex: true });
  await tab.approve();
  await tab.backend.sees('Signature verified');
});

scenario(world, 'what was scrolled to its end before anybody could see it can be read all the same', async ({ tab }) => {
  await tab.page.evaluate(() => {
    const requests = document.querySelector('#requests') ?? document.body;
    const scroll = new MutationObserver(() => {
      const content = requests.querySelector('.content');
      if (!content || content.scrollHeight <= content.clientHeight) return;
      scroll.disconnect();
      content.scrollTop = content.scrollHeight;
    });
    scroll.observe(requests, { childList: true, subtree: true });
  });
  await tab.ask({ message: 'line\n'.repeat(40) });
  await tab.approve();
  await tab.backend.sees('Signature verified');
});
