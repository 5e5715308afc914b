// axe-core over every state of the page, in both themes and on a phone.

import assert from 'node:assert/strict';
import axe from 'axe-core';
import { backendAsks } from './backend.mjs';
import { world as newWorld } from './harness.mjs';
import { openSecondTab, scenario } from './visit.mjs';

const world = newWorld({ store: true });

async function finds(tab, state) {
  await tab.page.evaluate(axe.source);
  await tab.page.emulateMedia({ colorScheme: 'light' });
  await findsNothing(tab, state, {});
  // The other theme has other colours, and nothing else.
  await tab.page.emulateMedia({ colorScheme: 'dark' });
  await findsNothing(tab, `${state}, dark`, { runOnly: ['color-contrast', 'link-in-text-block'] });
}

async function findsNothing({ page }, state, options) {
  // What is still fading in has a contrast that nobody gets to read.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const { violations } = await page.evaluate((options) => window.axe.run(options), options);
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
  assert.deepEqual(told, [], state);
}

async function everyState({ tab }) {
  await finds(tab, 'idle');
  await tab.ask({ message: 'ff00', hex: true });
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  await finds(tab, 'pending');
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await finds(tab, 'signed');
  await tab.ask({ message: 'ab' });
  await tab.press('Decline');
  // The looks of the last ten seconds, for as long as axe takes.
  await tab.wallet.locator.locator('.countdown:visible').evaluate(({ classList }) => {
    classList.add('hurry');
    classList.toggle = () => true;
  });
  await finds(tab, 'declining, with little time left');
  await tab.press('Decline');
  await tab.backend.sees('403 rejected');
  await finds(tab, 'declined');
  await tab.backend.field("Signer's public key").fill('nonsense');
  await tab.ask();
  await tab.backend.sees('400 invalid_public_key');
  await tab.backend.field('Message').first().fill('no hex');
  await finds(tab, 'errors');
}

/** What a visitor finds further down. */
async function everyExplanation({ tab, context }) {
  await tab.ask({ message: 'x'.repeat(200) });
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.page.getByText('The answer as JSON').click();
  await tab.page.getByText('The same check without this page').click();
  await tab.page.locator('.frame summary').last().click();
  await finds(tab, 'valid, with all that unfolds');
  await tab.page.locator('#verify-signature button').nth(2).click();
  await tab.page.getByText('Does not verify').waitFor();
  await finds(tab, 'a flipped byte, and the three steps done');

  const attack = async (name) => {
    await tab.page.getByRole('button', { name }).click();
    await tab.page.locator('#report-verdict').waitFor();
  };
  await attack(/^Replay/);
  await finds(tab, 'a promise held');
  await tab.page.evaluate(() => {
    window.open = () => null;
  });
  await attack(/^Open a second tab/);
  await finds(tab, 'an attack that did not take place');
  await context.route('**/v1/send_to_sign', (route) => route.abort());
  await attack(/^Tamper/);
  await finds(tab, 'a promise broken');
  await tab.page.getByRole('button', { name: 'Pause' }).click();
  await tab.page.getByRole('button', { name: 'Done' }).click();
  await finds(tab, 'without the three steps');

  const second = await context.newPage();
  await second.goto(`${world.server.url}/second-tab.html`);
  await finds({ page: second }, 'the second window');
}

/** What comes of pages and servers that go away. */
async function everyOutlivingState({ tab, context }) {
  await tab.ask({ several: true, durable: true });
  await tab.oneByOne();
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').first().waitFor();
  await tab.backend.sees('Shown to the person');
  await finds(tab, 'a batch, one by one, and its phases');
  await tab.page.reload();
  await tab.connected();
  await tab.wallet.sees('Shown before, not decided');
  await tab.page.locator('.decide > [data-part=approve]:not([aria-disabled])').waitFor();
  await finds(tab, 'shown before');

  const second = await openSecondTab(context, world.server.url);
  await second.wallet.sees(/^waits there, /);
  await finds(second, 'standing by');
  await second.page.close();

  await tab.oneByOne();
  await tab.press('Decline message 2');
  await tab.press('Approve rest');
  await tab.backend.sees('1 of 2 signed and verified');
  await finds(tab, 'a batch that ended in two ways');

  const backend = backendAsks(world.server, await tab.publicKey(), 'nobody waits');
  await tab.wallet.sees('nobody waits');
  backend.cancel();
  await tab.wallet.sees('Withdrawn by the requester.');
  await tab.page.locator('#memory-problem').evaluate((notice) => {
    notice.hidden = false;
  });
  await tab.page.locator('#memory-problem').evaluate((notice) => {
    notice.textContent = 'This browser does not keep what was decided.';
  });
  await finds(tab, 'nothing is kept');
}

const reducedMotion = 'reduce';
/** @type {import('playwright-core').BrowserContextOptions & { tolerated: RegExp[] }} */
const aborts = { reducedMotion, tolerated: [/net::ERR_FAILED/] };
const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
scenario(world, 'axe finds nothing', everyState, { reducedMotion });
scenario(world, 'axe finds nothing in what outlives pages', everyOutlivingState, { reducedMotion });
scenario(
  world,
  'axe finds nothing in what outlives pages on a phone, and nothing runs off its side',
  async (visit) => {
    await everyOutlivingState(visit);
    const { page } = visit.tab;
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  },
  { ...phone, reducedMotion },
);
scenario(
  world,
  'axe finds nothing on a phone, and nothing runs off its side',
  async (visit) => {
    await everyState(visit);
    const { page } = visit.tab;
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  },
  { ...phone, reducedMotion },
);
scenario(world, 'axe finds nothing in what explains', everyExplanation, aborts);
scenario(
  world,
  'axe finds nothing in what explains on a phone, and nothing runs off its side',
  async (visit) => {
    await everyExplanation(visit);
    const { page } = visit.tab;
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  },
  { ...phone, ...aborts },
);
