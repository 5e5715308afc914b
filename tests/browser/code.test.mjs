// The code that the page shows: found by keyboard, remembered, and doing what it says.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { inRepository, world as newWorld } from './harness.mjs';
import { publicKeyObject } from './keys.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();
const run = promisify(execFile);

const AWKWARD = ["it's `", '$', '{"quoted"}` \\ and 🦊'].join('');

const list = (tab, name) => tab.page.getByRole('tablist', { name });
const hasFocus = (locator) => locator.evaluate((element) => element === document.activeElement);
const chosen = (tab, name) => list(tab, name).locator('[aria-selected=true]').allInnerTexts();

/** Runs a program for Node.js, and gives what it prints. */
const inNode = async (program) => (await run(process.execPath, ['--input-type=module', '--no-warnings', '-e', program])).stdout.trim();

async function copied(tab, button) {
  await tab.page.getByRole('button', { name: button }).click();
  return tab.page.evaluate(() => navigator.clipboard.readText());
}

scenario(world, 'languages are chosen by keyboard, everywhere at once, and stay chosen', async ({ tab }) => {
  const ask = list(tab, 'The same in code');
  const curl = ask.getByRole('tab', { name: 'curl' });
  await tab.tabTo(curl);
  assert.ok(await tab.page.getByRole('tabpanel', { name: 'curl' }).isVisible());
  await tab.page.keyboard.press('ArrowRight');
  const node = ask.getByRole('tab', { name: 'Node.js' });
  assert.ok(await hasFocus(node));
  assert.equal(await tab.page.getByRole('tabpanel', { name: 'curl' }).count(), 0);
  await tab.page.getByText('A wallet in fewer than twenty lines').click();
  assert.deepEqual(await chosen(tab, 'The wallet in code'), ['Node.js']);
  await node.focus();
  // One stop for the Tab key, then what it shows.
  await tab.page.keyboard.press('Tab');
  assert.ok(await hasFocus(tab.page.getByRole('group', { name: 'The call for Node.js' })));
  await node.focus();
  await tab.page.keyboard.press('End');
  assert.deepEqual(await chosen(tab, 'The same in code'), ['Rust']);
  assert.deepEqual(await chosen(tab, 'The wallet in code'), ['Node.js'], 'where it is not offered nothing changes');
  await tab.page.keyboard.press('ArrowRight');
  assert.deepEqual(await chosen(tab, 'The same in code'), ['curl']);
  await tab.page.keyboard.press('ArrowLeft');
  await tab.page.reload();
  await tab.connected();
  assert.deepEqual(await chosen(tab, 'The same in code'), ['Rust']);
});

scenario(world, 'the call for Node.js gets a signature over what the form says', async ({ tab, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await tab.backend.field('Message').first().fill(AWKWARD);
  await list(tab, 'The same in code').getByRole('tab', { name: 'Node.js' }).click();
  const answer = inNode(
    (await copied(tab, 'Copy the call for Node.js')).replace('console.log(', 'console.log(JSON.stringify(').replace(/\);\n$/, '));\n'),
  );
  await tab.wallet.sees('asks you to sign');
  await tab.approve();
  const { signature, public_key, message } = JSON.parse(await answer);
  assert.equal(Buffer.from(message, 'base64').toString(), AWKWARD);
  assert.ok(verify(null, Buffer.from(message, 'base64'), publicKeyObject(public_key), Buffer.from(signature, 'base64')));
});

scenario(world, 'the check for Node.js says what the page says', async ({ tab, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await tab.ask({ message: 'take it with you' });
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.page.getByText('The same check without this page').click();
  await list(tab, 'The check in code').getByRole('tab', { name: 'Node.js' }).click();
  assert.equal(await inNode(await copied(tab, 'Copy the check for Node.js')), 'true');
  await tab.page.locator('#verify-signature button').nth(3).click();
  await tab.page.getByText('Does not verify').waitFor();
  assert.equal(await inNode(await copied(tab, 'Copy the check for Node.js')), 'false');
});

scenario(world, 'all else is what the documents have, which tests of theirs run', async ({ tab }) => {
  const shown = (id) => tab.page.locator(`#${id}`).textContent();
  const read = (path) => readFileSync(inRepository(path), 'utf8');
  assert.ok(read('sdk-wasm/README.md').includes(await shown('page-wallet')), 'run by npm-readme.test.mjs');
  const { host } = new URL(world.server.url);
  assert.ok(read('README.md').includes((await shown('node-wallet')).replace(host, '127.0.0.1:8080')), 'run by tests/readme');
  // Run by tests/tests/page_code.rs.
  assert.equal(await shown('rust-call'), read('web-demo/src/code/ask.rs'));
  assert.equal(await shown('verify-rust'), read('web-demo/src/code/verify.rs'));
});

scenario(world, 'the documents are there, and their links lead somewhere', async ({ tab }) => {
  const links = await tab.page.getByRole('navigation', { name: 'Documents' }).getByRole('link').all();
  const addresses = await Promise.all(links.map((link) => link.evaluate((anchor) => /** @type {HTMLAnchorElement} */ (anchor).href)));
  assert.equal(addresses.length, 4);
  for (const address of addresses) {
    const response = await tab.page.goto(address);
    assert.equal(response?.status(), 200);
    const broken = await tab.page.evaluate(async () => {
      const anchors = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('main a')]).filter(
        ({ origin }) => origin === location.origin,
      );
      const pages = new Map();
      const lost = [];
      for (const { href } of anchors) {
        const { pathname, hash } = new URL(href);
        if (!pages.has(pathname)) {
          const answer = await fetch(pathname);
          pages.set(pathname, answer.ok ? await answer.text() : null);
        }
        const page = pages.get(pathname);
        if (page === null || (hash !== '' && !page.includes(`id="${decodeURIComponent(hash.slice(1))}"`))) lost.push(href);
      }
      return lost;
    });
    assert.deepEqual(broken, [], address);
  }
});
