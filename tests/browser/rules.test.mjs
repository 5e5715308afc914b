// What the visitor allows in advance.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { openSecondTab, scenario } from './visit.mjs';

const world = newWorld();

const rule = (tab) => tab.wallet.locator.getByRole('list', { name: 'Rules at work' }).getByRole('listitem');

async function allow(tab, { prefix, uses }) {
  await tab.wallet.locator.getByText('Approve without being asked').click();
  await tab.wallet.field('Message starts with').fill(prefix);
  await tab.wallet.field('How often').fill(String(uses));
  await tab.wallet.button('Allow for an hour').click();
}

scenario(world, 'a rule approves what it says, as often as it says, and nothing else', async ({ tab, prompts }) => {
  await allow(tab, { prefix: 'login ', uses: 1 });
  await rule(tab).getByText('1 left, until').waitFor();
  await tab.wallet.sees('1 at work');

  await tab.ask({ message: 'login 17' });
  await tab.backend.sees('Signature verified');
  await tab.backend.sees('a rule of theirs approved it');
  await tab.wallet.sees('Signed by your rule. Nobody was asked.');
  assert.match((await tab.answer()).approved_by, /^policy:/);
  assert.deepEqual(prompts.seen(), []);
  await rule(tab).waitFor({ state: 'detached' });

  await tab.ask({ message: 'login 18' });
  await tab.approve();
  await tab.backend.sees('200 signed');
  assert.equal((await tab.answer()).approved_by, 'human');
  assert.deepEqual(prompts.seen(), ['new']);
});

scenario(world, 'a rule that is taken back approves nothing', async ({ tab, context, prompts }) => {
  await allow(tab, { prefix: 'login ', uses: 5 });
  await tab.ask({ message: 'logout 17' });
  await tab.approve();
  await tab.backend.sees('Signature verified');
  const second = await openSecondTab(context, world.server.url);
  await second.wallet.locator.getByText('Approve without being asked').click();
  await rule(second).getByText('5 left, until').waitFor();
  await second.wallet.button('Revoke the rule for login').click();
  await rule(tab).waitFor({ state: 'detached' });
  await tab.ask({ message: 'login 17' });
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  assert.deepEqual(prompts.seen(), ['new', 'new']);
});

scenario(world, 'what makes no rule is refused with its reason', async ({ tab }) => {
  await allow(tab, { prefix: 'login ', uses: 0 });
  await tab.wallet.sees('A rule has 1 to 1,000 uses.');
  assert.equal(await rule(tab).count(), 0);
});

scenario(world, 'a rule like the last request is at hand', async ({ tab }) => {
  await tab.ask({ message: 'Release 1.4.2 of payments' });
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  await tab.wallet.locator.getByText('Approve without being asked').click();
  assert.equal(await tab.wallet.field('Message starts with').inputValue(), 'Release ');
});
