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

scenario(world, 'only a sign-in at this very server is suggested, and a rule says what it would sign', async ({ tab, prompts }) => {
  const { host } = new URL(world.server.url);
  // Whatever was asked for before.
  await tab.ask({ message: 'Transfer 25 EUR' });
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  await tab.wallet.locator.getByText('Approve without being asked').click();
  assert.equal(await tab.wallet.field('Message starts with').inputValue(), `Sign in to ${host}, challenge `);
  await tab.wallet.sees(
    `up to 5 messages of “local backend” without showing them to you: all that begin with “Sign in to ${host}, challenge ”`,
  );
  await tab.wallet.sees('That can only be a sign-in here');

  await tab.wallet.field('Message starts with').fill('Transfer ');
  await tab.wallet.sees('Whatever follows may be any amount, any name, any promise.');
  await tab.wallet.field('How often').fill('1');
  await tab.wallet.sees('signs one message of');
  await tab.wallet.field('Message starts with').fill(`Sign in to ${host}, challenge `);
  await tab.wallet.button('Allow for an hour').click();
  await rule(tab).getByText('1 left, until').waitFor();
  await tab.wallet.button('Have the backend ask for such a sign-in').click();
  await tab.backend.button('Ask for a signature').click();
  await tab.backend.sees('a rule of theirs approved it');
  assert.deepEqual(prompts.seen(), ['new']);
});
