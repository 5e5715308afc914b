// The live log of frames, and the phases of a request.

import assert from 'node:assert/strict';
import { backendAsks } from './backend.mjs';
import { openedPage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { until } from './until.mjs';
import { scenario } from './visit.mjs';

const world = newWorld({ webRoot: openedPage(), args: ['--heartbeat-ms', '5000'] });

const log = (tab) => tab.page.getByRole('region', { name: 'On the wire' });
const types = (tab) => tab.page.locator('.frame:visible [data-part=type]').allInnerTexts();
const row = (tab, type) => tab.page.locator(`.frame[data-type=${type}]`).first();

/** The names of the phases that are reached, and the state of the last. */
const reached = (tab) => tab.backend.locator.locator('.phase[data-reached="true"] .phase-name').allInnerTexts();

scenario(world, 'every frame is shown in its order, with what it means', async ({ tab }) => {
  await tab.ask({ message: 'hello' });
  await tab.approve();
  await tab.wallet.sees('Signed and delivered.');
  const shown = [
    'challenge',
    'introduction',
    'welcome',
    'sign_request',
    'request_status',
    'request_status',
    'sign_response',
    'response_ack',
  ];
  await until('all frames are shown', async () => (await types(tab)).length === shown.length);
  assert.deepEqual(await types(tab), shown);
  await log(tab).getByText('The wallet names its key and proves that it holds it').waitFor();
  await log(tab)
    .getByText(/^A backend wants a signature over 5 bytes, within (1:00|0:\d\d)\.$/)
    .waitFor();
  assert.equal(await row(tab, 'sign_request').getAttribute('data-direction'), 'in');
  assert.equal(await row(tab, 'sign_response').getAttribute('data-direction'), 'out');
  assert.match(await row(tab, 'sign_request').locator('time').innerText(), /^\d\d:\d\d:\d\d\.\d{3}$/);
});

scenario(world, 'a frame opens to its JSON, by keyboard too', async ({ tab }) => {
  await row(tab, 'introduction').locator('summary').focus();
  await tab.page.keyboard.press('Enter');
  const json = row(tab, 'introduction').locator('pre');
  // Its text is written when the event of the opening comes, which is a task of its own.
  await json.getByText('public_key').waitFor();
  assert.deepEqual(JSON.parse(await json.innerText()).public_key, await tab.publicKey());
  await tab.page.keyboard.press('Enter');
  await json.waitFor({ state: 'hidden' });
});

scenario(world, 'the log is paused, goes on and is cleared', async ({ tab }) => {
  const pause = log(tab).getByRole('button', { name: 'Pause' });
  await pause.click();
  assert.equal(await pause.getAttribute('aria-pressed'), 'true');
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await log(tab)
    .getByText(/^Paused, \d+ not shown$/)
    .waitFor();
  assert.equal(await tab.page.locator('.frame[data-type=sign_request]').count(), 0);
  await pause.click();
  await tab.ask();
  await tab.approve();
  await row(tab, 'response_ack').waitFor();
  await log(tab).getByRole('button', { name: 'Clear' }).click();
  assert.equal(await tab.page.locator('.frame[data-type=response_ack]').count(), 0);
});

scenario(world, 'heartbeats are shown on demand, and nothing is read out', async ({ tab }) => {
  await row(tab, 'ping').waitFor({ state: 'attached' });
  assert.equal(await row(tab, 'ping').isVisible(), false);
  await log(tab).getByLabel('Show heartbeats too').check();
  await row(tab, 'ping').waitFor();
  assert.equal(await log(tab).getByRole('log').getAttribute('aria-live'), 'off');
});

scenario(world, 'the log keeps so many frames and no more', async ({ tab }) => {
  await tab.page.evaluate(async () => {
    const { frameLog } = await import('./js/wire/frame-log.js');
    const more = frameLog();
    for (let n = 0; n < 250; n += 1) more.add({ direction: 'in', text: `{"type":"error","code":"${n}"}` });
  });
  assert.equal(await tab.page.locator('.frame').count(), 200);
  await log(tab).getByText('The server refuses what it was sent: 249.').waitFor();
});

scenario(world, 'a call that waits shows its phases as they come, and the time that is left', async ({ tab }) => {
  assert.deepEqual(await tab.backend.locator.locator('.phase-name').allInnerTexts(), ['Asked', 'Sent', 'Received', 'Shown', 'Decided']);
  assert.deepEqual(await reached(tab), []);
  await tab.ask({ seconds: 40 });
  await tab.wallet.button('Approve').waitFor();
  await until('it is shown', async () => (await reached(tab)).length === 4);
  assert.deepEqual(await reached(tab), ['Asked', 'Sent', 'Received', 'Shown']);
  await tab.backend.locator
    .getByRole('timer')
    .getByText(/^0:(40|[0-3]\d)$/)
    .waitFor();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  assert.deepEqual(await reached(tab), ['Asked', 'Sent', 'Received', 'Shown', 'Signed']);
  const { request_id, times } = await tab.answer();
  await tab.backend.sees(request_id);
  const shown = await tab.backend.locator.locator('.phase time').evaluateAll((all) => all.map(({ dateTime }) => Date.parse(dateTime)));
  assert.deepEqual(
    [shown[0], shown[1], shown[4]],
    [times.queued_ms, times.delivered_ms, times.ended_ms],
    'in the end they are the server’s times',
  );
  assert.equal(await tab.backend.locator.getByRole('timer').count(), 0);
});

scenario(world, 'a declined, an expired and a refused call end as what they are', async ({ tab }) => {
  await tab.ask();
  await tab.press('Decline');
  await tab.press('Decline');
  await tab.backend.sees('403 rejected');
  assert.equal((await reached(tab)).at(-1), 'Declined');
  await tab.ask({ seconds: 1 });
  await tab.backend.sees('504 timeout');
  assert.equal((await reached(tab)).at(-1), 'Expired');
  await tab.ask({ message: '' });
  await tab.backend.sees('400 invalid_message');
  assert.deepEqual(await reached(tab), []);
});

scenario(world, 'a call of somebody else’s shows no phases here', async ({ tab }) => {
  const { answer } = backendAsks(world.server, await tab.publicKey(), 'from elsewhere');
  await tab.approve();
  assert.equal((await answer).status, 200);
  assert.deepEqual(await reached(tab), []);
});
