// The package inside a Worker: no page, no DOM, the server's policy.

import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { test } from 'node:test';
import { barePage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { publicKeyObject } from './keys.mjs';
import { Watch } from './watch.mjs';

const WORKER = `
  import { Key, Wallet } from './countersign/browser.js';
  try {
    const wallet = new Wallet({ key: await Key.generate() });
    wallet.on('request', async (request) => {
      request.displayed();
      await request.approve({ approvedBy: 'policy:worker-test' });
      postMessage({ state: request.state });
    });
    await wallet.connect();
    postMessage({ publicKey: wallet.publicKey });
  } catch (error) {
    postMessage({ error: String(error) });
  }
`;

const world = newWorld({ webRoot: barePage({ 'worker.js': WORKER }) });

test('a worker connects and answers by itself', async () => {
  const { server } = world;
  // The page's policy allows no script URL made from a string, so that `new Worker(…)` needs it lifted. The worker has its own.
  const context = await world.newContext({ bypassCSP: true });
  const watch = new Watch(server.url);
  await watch.attach(context);
  const page = await context.newPage();
  const worker = page.waitForEvent('worker');
  await page.goto(server.url);
  await page.evaluate(() => {
    window.said = [];
    window.worker = new Worker('./worker.js', { type: 'module' });
    window.worker.onmessage = ({ data }) => window.said.push(data);
    window.worker.onerror = (event) => window.said.push({ error: event.message });
  });
  await worker;
  const said = (index) => page.waitForFunction((i) => window.said[i], index).then((handle) => handle.jsonValue());
  const { publicKey, error } = /** @type {any} */ (await said(0));
  assert.equal(error, undefined);

  const message = Buffer.from('to a worker');
  const { status, body } = await server.sendToSign({ public_key: publicKey, message: message.toString('base64') });
  assert.equal(status, 200);
  assert.equal(body.approved_by, 'policy:worker-test');
  assert.ok(verify(null, message, publicKeyObject(publicKey), Buffer.from(body.signature, 'base64')));
  assert.deepEqual(await said(1), { state: 'accepted' });
  await server.untilIdle();
  watch.assertClean();
});
