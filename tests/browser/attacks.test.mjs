// The promise under attack: every button of the panel, against the real server, and against one that does not keep the promise.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld({ args: ['--demo'], store: true });
// What a browser writes when a connection breaks off, which is what some of these attacks are.
const tolerated = [/WebSocket connection to .* failed/, /Failed to load resource: net::ERR_/];

const report = (tab) => tab.page.getByRole('region', { name: 'The promise under attack' });
const row = (tab, name) =>
  report(tab)
    .getByRole('listitem')
    .filter({ has: tab.page.getByRole('button', { name }) });
const steps = (tab, who) => tab.page.locator(`.step[data-who="${who}"] .step-text`).allInnerTexts();

/** Presses an attack's button and waits for its verdict: { state, title, findings }. */
async function attack(tab, name) {
  await row(tab, name).getByRole('button').click();
  await tab.page.locator('#report-verdict').waitFor();
  return {
    state: await tab.page.locator('#report').getAttribute('data-state'),
    shown: await row(tab, name).locator('[data-part=state]').innerText(),
    title: await tab.page.locator('#report-verdict-title').innerText(),
    findings: await tab.page.locator('.finding').allInnerTexts(),
  };
}

async function holds(tab, name) {
  const { state, shown, title, findings } = await attack(tab, name);
  assert.deepEqual([state, shown, title], ['held', 'Held', 'The promise held.'], findings.join('\n'));
  assert.equal(await tab.page.locator('.finding[data-ok=false]').count(), 0);
  await tab.page.locator('#announcer').filter({ hasText: 'The promise held.' }).waitFor({ state: 'attached' });
  return findings;
}

scenario(world, 'a message that was tampered with brings no signature, hidden or not', async ({ tab, prompts }) => {
  const findings = await holds(tab, /^Tamper with the message/);
  assert.ok(findings.includes('No signature was accepted.'));
  assert.ok(findings.includes('2 of 2 calls ended with a signature or a stated reason.'));
  assert.deepEqual(await steps(tab, 'attacker'), [
    'changes message in sign_request, on its way to the wallet.',
    'tries again, and this time puts the original back into the wallet’s answer.',
    'changes message in sign_request, on its way to the wallet.',
    'changes message in sign_response, on its way to the server.',
  ]);
  assert.deepEqual(await steps(tab, 'server'), ['answers message_mismatch for request 1.', 'answers bad_signature for request 2.']);
  assert.match((await steps(tab, 'backend')).at(-1), /^gets 502 invalid_signature: /);
  // The visitor's own wallet has no part in it.
  assert.deepEqual(prompts.seen(), []);
});

scenario(world, 'an answer that is replayed answers nothing', async ({ tab }) => {
  const findings = await holds(tab, /^Replay an earlier answer/);
  assert.ok(findings.includes('As it was, it answered nothing but the request it was for.'));
  assert.ok(findings.includes('Under the new request’s name it was refused.'));
  assert.ok((await steps(tab, 'backend')).includes('still waits for its second signature.'));
});

scenario(world, 'another key’s claim and another key’s signature are refused', async ({ tab }) => {
  const findings = await holds(tab, /^Sign with the wrong key/);
  assert.ok(findings.includes('The claim was refused (proof_invalid), and the key is known once.'));
  assert.ok(findings.includes('The other key’s signature was not accepted.'));
});

scenario(
  world,
  'a connection that is cut twice costs no answer and asks nobody again',
  async ({ tab }) => {
    const findings = await holds(tab, /^Cut the connection/);
    assert.ok(findings.includes('2 of 2 calls got a signature that verifies in this page, over what was asked.'));
    assert.ok(findings.includes('The human was asked 2 times, for 2 requests.'));
    assert.ok((await steps(tab, 'server')).includes('hands request 1 over again, attempt 2.'));
  },
  { tolerated },
);

scenario(
  world,
  'a request that is withdrawn while its wallet is away is not decided about any more',
  async ({ tab }) => {
    const findings = await holds(tab, /^Withdraw while away/);
    assert.ok(findings.includes('The prompt was closed, and said why.'));
    assert.ok(findings.includes('No signature was accepted.'));
    assert.ok(findings.includes('The human was asked once, for one request.'));
    assert.ok((await steps(tab, 'server')).includes('takes the request back: cancelled.'));
  },
  { tolerated },
);

scenario(world, 'a second tab of the same wallet asks nothing', async ({ tab, context }) => {
  const findings = await holds(tab, /^Open a second tab/);
  assert.ok(findings.includes('The server knew one connection of this wallet.'));
  assert.ok(findings.includes('The human was asked once, for one request.'));
  assert.equal(context.pages().length, 1, 'the window was closed');
});

scenario(
  world,
  'a server that is restarted loses nothing',
  async ({ tab }) => {
    const findings = await holds(tab, /^Restart the server/);
    assert.ok(findings.includes('The process was gone, and all it had in memory.'));
    assert.ok(findings.includes('1 of 1 calls got a signature that verifies in this page, over what was asked.'));
    assert.ok(findings.includes('The human was asked once, for one request.'));
    await tab.connected();
  },
  { tolerated },
);

scenario(world, 'a server that passes a forgery on is told in red', async ({ tab, context }) => {
  await context.route('**/v1/send_to_sign', async (route) => {
    const { message, public_key } = route.request().postDataJSON();
    const signature = Buffer.alloc(64, 7).toString('base64');
    await route.fulfill({ json: { request_id: crypto.randomUUID(), public_key, message, signature, times: {} } });
  });
  const { state, shown, title, findings } = await attack(tab, /^Tamper with the message/);
  assert.deepEqual([state, shown], ['broken', 'Broken']);
  assert.match(title, /^The promise was broken\./);
  assert.ok(findings.includes('2 of 2 calls got a signature.'));
  assert.ok(findings.includes('2 wrong signatures reached a backend.'));
});

scenario(
  world,
  'a call that never ends is no promise kept',
  async ({ tab, context }) => {
    await context.route('**/v1/send_to_sign', (route) => route.abort());
    const { state, findings } = await attack(tab, /^Tamper with the message/);
    assert.equal(state, 'broken');
    assert.ok(findings.includes('0 of 2 calls ended with a signature or a stated reason.'));
  },
  { tolerated },
);

scenario(world, 'where no window may open, nothing is claimed', async ({ tab }) => {
  await tab.page.evaluate(() => {
    window.open = () => null;
  });
  const { state, title, findings } = await attack(tab, /^Open a second tab/);
  assert.deepEqual([state, title], ['void', 'The attack did not take place, so this says nothing.']);
  assert.match(findings[0], /^The browser opened no second window/);
});
