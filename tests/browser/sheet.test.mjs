// The prompt comes to where the human is.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

const stage = (tab) => tab.page.locator('#requests');
const isSheet = async (tab) => (await stage(tab).getAttribute('data-sheet')) === 'true';
const hasFocus = (locator) => locator.evaluate((element) => element === document.activeElement);

/** Whether all of it can be seen, and nothing lies over it. */
const inSight = (locator) =>
  locator.evaluate((element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const middle = document.elementFromPoint(left + width / 2, top + height / 2);
    return top >= 0 && top + height <= innerHeight && element.contains(middle);
  });

/** Waits until it has come up. */
const settled = (tab) => stage(tab).evaluate((sheet) => Promise.all(sheet.getAnimations().map(({ finished }) => finished.catch(() => {}))));

scenario(
  world,
  'on a phone the prompt is there without scrolling, and goes when it was decided',
  async ({ tab, prompts }) => {
    await tab.backend.button('Ask for a signature').click();
    const approve = tab.wallet.button('Approve');
    await approve.waitFor();
    await tab.page.locator('#requests[data-sheet=true]').waitFor();
    await settled(tab);
    for (const part of [
      approve,
      tab.wallet.button('Decline'),
      tab.wallet.locator.locator('.content'),
      tab.wallet.locator.locator('.request-head'),
    ])
      assert.ok(await inSight(part), `${part}`);
    assert.ok(await hasFocus(stage(tab)), 'whoever has asked goes on in the sheet');
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    assert.ok(await inSight(tab.wallet.locator.locator('.outcome')));
    // A line, and no more than that.
    assert.ok(((await stage(tab).boundingBox())?.height ?? 844) < 200);
    await tab.wallet.locator.getByRole('link', { name: 'See the answer' }).click();
    assert.equal(await isSheet(tab), false);
    await tab.backend.sees('Signature verified');
    assert.deepEqual(prompts.seen(), ['new']);
  },
  PHONE,
);

scenario(
  world,
  'keys that were meant for the form decide nothing',
  async ({ tab }) => {
    const { keyboard } = tab.page;
    const submit = tab.backend.button('Ask for a signature');
    await submit.focus();
    await keyboard.press('Enter');
    await tab.wallet.button('Approve').waitFor();
    await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
    for (const key of ['Enter', 'Space', 'Enter', 'a', 'Enter']) await keyboard.press(key);
    assert.equal(await tab.page.locator('.request').getAttribute('data-state'), 'open');

    // One by one with the Tab key to Approve, which has it in sight.
    await tab.tabTo(tab.wallet.button('Approve'));
    await keyboard.press('Enter');
    await tab.wallet.sees('Signed and delivered.');
    await keyboard.press('Escape');
    assert.equal(await isSheet(tab), false);
    assert.ok(await hasFocus(submit), 'and the focus is where it came from');
  },
  PHONE,
);

scenario(
  world,
  'whoever is typing goes on typing',
  async ({ tab }) => {
    const purpose = tab.backend.field('Purpose');
    await purpose.fill('');
    await purpose.evaluate((field) => field.scrollIntoView({ block: 'start', behavior: 'instant' }));
    const { answer, cancel } = backendAsks(world.server, await tab.publicKey(), 'while somebody types');
    await tab.page.keyboard.type('one ');
    await tab.wallet.button('Approve').waitFor();
    await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
    await tab.page.keyboard.type('two');
    assert.equal(await purpose.inputValue(), 'one two');
    await tab.page.locator('#requests[data-sheet=true]').waitFor();
    assert.equal(await tab.page.locator('.request').getAttribute('data-state'), 'open');
    cancel();
    await answer.catch(() => {});
    await tab.wallet.sees('Withdrawn by the requester.');
  },
  PHONE,
);

scenario(
  world,
  'what is put away is asked in its place, and the next prompt comes again',
  async ({ tab, prompts }) => {
    const { answer } = backendAsks(world.server, await tab.publicKey(), 'the first');
    await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await tab.wallet.sees('the first');
    if (await isSheet(tab)) await tab.wallet.button('Put away').click();
    assert.equal(await isSheet(tab), false);
    await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const second = backendAsks(world.server, await tab.publicKey(), 'the second');
    await tab.wallet.sees('the second');
    await tab.page.locator('#requests[data-sheet=true]').waitFor();
    for (const card of await tab.page.locator('.request').all()) {
      const approve = card.locator('.decide > [data-part=approve]:not([aria-disabled])');
      await card.locator('.content').scrollIntoViewIfNeeded();
      await approve.click();
    }
    assert.deepEqual([(await answer).status, (await second.answer).status], [200, 200]);
    assert.deepEqual(prompts.seen(), ['new', 'new']);
  },
  PHONE,
);

scenario(world, 'where its place is in sight the prompt stays there', async ({ tab }) => {
  await tab.ask();
  await tab.wallet.button('Approve').waitFor();
  assert.equal(await isSheet(tab), false);
  await tab.approve();
  await tab.backend.sees('Signature verified');

  // Further down the same page it is out of sight.
  await tab.page.locator('#attack').scrollIntoViewIfNeeded();
  await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  const { answer } = backendAsks(world.server, await tab.publicKey(), 'from below');
  await tab.wallet.sees('from below');
  await tab.page.locator('#requests[data-sheet=true]').waitFor();
  await tab.approve();
  assert.equal((await answer).status, 200);
});

scenario(world, 'where a page comes to rest that was scrolling when the prompt came counts, however late that is', async ({ tab }) => {
  // It scrolls for as long as it is told to.
  await tab.page.evaluate(() => {
    const scroll = () => document.dispatchEvent(new Event('scroll'));
    Object.assign(window, { scrolling: setInterval(scroll, 10) });
  });
  const { answer } = backendAsks(world.server, await tab.publicKey(), 'while it scrolls');
  await tab.wallet.sees('while it scrolls');
  assert.equal(await isSheet(tab), false);
  await tab.page.evaluate(async () => {
    await new Promise((over) => AbortSignal.timeout(1_500).addEventListener('abort', over));
    clearInterval(Reflect.get(window, 'scrolling'));
    scrollTo({ top: document.body.scrollHeight, behavior: 'instant' });
  });
  await tab.page.locator('#requests[data-sheet=true]').waitFor();
  await tab.approve();
  assert.equal((await answer).status, 200);
});
