// axe-core over every state of the page, in both themes and on a phone.

import assert from 'node:assert/strict';
import axe from 'axe-core';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

async function finds(tab, state) {
  // What is still fading in has a contrast that nobody gets to read.
  await tab.page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await tab.page.evaluate(axe.source);
  const { violations } = await tab.page.evaluate(() => window.axe.run());
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
  await tab.ask({ message: 'ab', seconds: 9 });
  await tab.wallet.button('Decline').click();
  await finds(tab, 'declining, with little time left');
  await tab.wallet.button('Decline').click();
  await tab.backend.sees('403 rejected');
  await finds(tab, 'declined');
  await tab.backend.field("Signer's public key").fill('nonsense');
  await tab.ask();
  await tab.backend.sees('400 invalid_public_key');
  await tab.backend.field('Message').first().fill('no hex');
  await finds(tab, 'errors');
}

const reducedMotion = 'reduce';
scenario(world, 'axe finds nothing in the light theme', everyState, { colorScheme: 'light', reducedMotion });
scenario(world, 'axe finds nothing in the dark theme', everyState, { colorScheme: 'dark', reducedMotion });
scenario(world, 'axe finds nothing on a phone, and nothing runs off its side', async (visit) => {
  await everyState(visit);
  const { page } = visit.tab;
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
}, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, reducedMotion });
