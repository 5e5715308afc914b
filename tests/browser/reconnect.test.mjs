// The server goes away and comes back; nobody touches the page.

import assert from 'node:assert/strict';
import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();
// What a browser writes when a socket or a call breaks off, which is what these tests are about.
const tolerated = [/WebSocket connection to .* failed/, /Failed to load resource: net::ERR_/];

scenario(
  world,
  'a killed server that comes back finds the wallet again',
  async ({ tab }) => {
    await tab.ask({ message: 'before' });
    await tab.approve();
    await tab.backend.sees('Signature verified');

    await world.server.stop('SIGKILL');
    await tab.wallet.sees('Reconnecting…');
    await world.restart();
    await tab.connected();

    await tab.ask({ message: 'after' });
    await tab.wallet.sees('after');
    await tab.approve();
    await tab.wallet.sees('Signed and delivered.');
    await tab.backend.sees('Signature verified');
    assert.equal(await tab.prompts(), 2);
  },
  { tolerated },
);

scenario(
  world,
  'a request that died with its server leaves no false promise',
  async ({ tab }) => {
    await tab.ask();
    await tab.wallet.button('Approve').waitFor();
    await world.server.stop('SIGKILL');
    await tab.backend.sees('No answer: the outcome is not known');
    await tab.backend.sees('The connection broke while the wallet had the request, and the backend was told nothing.');
    await tab.page.getByText('The backend got no answer, and cannot know why.').waitFor();
    await tab.backend.locator.locator('.phase-name').last().getByText('Not known').waitFor();
    await tab.wallet.sees('Reconnecting…');

    await tab.approve();
    await tab.wallet.sees('Answered. Waiting for the server to confirm.');
    await world.restart();
    await tab.connected();
    await tab.wallet.sees(/^Not delivered: /);
    assert.equal(await tab.prompts(), 1);
  },
  { tolerated },
);

scenario(
  world,
  'a server that stops in good order still takes the answer it was waiting for',
  async ({ tab }) => {
    await tab.ask();
    await tab.wallet.button('Approve').waitFor();
    const stopped = world.server.stop('SIGTERM');
    await tab.approve();
    await tab.backend.sees('Signature verified');
    await stopped;
    await tab.wallet.sees('Reconnecting…');
    await world.restart();
    await tab.connected();
  },
  { tolerated },
);
