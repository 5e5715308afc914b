// Several servers behind a balancer: the one that has the wallet is killed, and then the one that has the call.

import assert from 'node:assert/strict';
import { CLUSTER, clusterWorld } from './cluster.mjs';
import { verifies } from './keys.mjs';
import { scenario } from './visit.mjs';

const world = clusterWorld();
// What a browser writes when a server goes away, and when the balancer says that it has.
const tolerated = [
  /WebSocket connection to .* failed/,
  /Failed to load resource: net::ERR_/,
  /the server responded with a status of 50[234]/,
];
/** @type {string | false} */
const skip = CLUSTER ? false : 'needs PostgreSQL and Caddy: make cluster-browser-tests';
const options = { tolerated, skip };

const panel = (tab) => tab.page.getByRole('region', { name: 'Three servers' });
/** The servers of which this can be seen. */
const nodes = (tab, words) =>
  panel(tab)
    .getByRole('listitem')
    .filter({ has: tab.page.getByText(words, { exact: true }).filter({ visible: true }) });
const nameOf = (row) => row.locator('[data-part=name]').innerText();

scenario(
  world,
  'the wallet’s server is killed: the same prompt survives, and is signed by way of another one',
  async ({ tab, prompts }) => {
    await tab.ask({ message: 'outlives its server', durable: true });
    await tab.wallet.sees('outlives its server');
    await tab.backend.sees('Shown to the person');
    await nodes(tab, 'Last call').waitFor();
    const before = await nameOf(nodes(tab, 'This wallet'));

    await panel(tab).getByRole('button', { name: 'Kill this wallet’s node' }).click();
    await nodes(tab, 'Down').waitFor();
    assert.equal(await nameOf(nodes(tab, 'Down')), before);
    const news = panel(tab).getByText('Your wallet was away for');
    await news.waitFor();
    console.log(await news.innerText());
    assert.notEqual(await nameOf(nodes(tab, 'This wallet')), before);

    await tab.connected();
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    assert.ok(verifies(await tab.answer(), 'outlives its server'));
    assert.deepEqual(prompts.seen(), ['new']);
    await nodes(tab, 'Down').waitFor({ state: 'detached' });
  },
  options,
);

scenario(
  world,
  'a waiting call ends with its server, which is said, and may be repeated',
  async ({ tab, prompts }) => {
    await tab.ask({ message: 'not written down' });
    await tab.wallet.sees('not written down');
    const [owner, ...others] = await world.server.owners();
    assert.deepEqual(others, []);
    const status = await tab.page.evaluate(killNode, owner);
    assert.equal(status, 202);
    await tab.backend.sees('No answer: the outcome is not known');
    // Its wallet is not left with a prompt that leads nowhere.
    await tab.wallet.sees('Expired. Nobody answered in time.');
    await tab.connected();

    await tab.ask();
    await tab.approve();
    await tab.backend.sees('Signature verified');
    assert.ok(verifies(await tab.answer(), 'not written down'));
    assert.deepEqual(prompts.seen(), ['new', 'new']);
  },
  options,
);

scenario(
  world,
  'the attack on the server is one on the wallet’s',
  async ({ tab }) => {
    await tab.page.getByRole('button', { name: /^Restart the server/ }).click();
    await tab.page.locator('#report-verdict').waitFor();
    const findings = await tab.page.locator('.finding').allInnerTexts();
    assert.equal(await tab.page.locator('#report-verdict-title').innerText(), 'The promise held.', findings.join('\n'));
  },
  options,
);

/** Runs in the page: a browser lets no other one have a server restarted. */
async function killNode(number) {
  const headers = { 'content-type': 'application/json' };
  return (await fetch(`/node/${number}/demo/restart`, { method: 'POST', headers, body: '{"down_ms":2000}' })).status;
}
