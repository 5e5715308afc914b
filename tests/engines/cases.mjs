// The cases: what happens to a wallet, what its human is to be shown, and how the backend's request is to end.

import assert from 'node:assert/strict';

const SEED = Array.from({ length: 32 }, (_, index) => index + 1);

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string[]} prompts each prompt to be shown: `new`, or `resumed` if it was shown before and nobody had decided
 * @property {number} [devices] how many have the key: each may ask its human once; 1 unless given
 * @property {string} end how the backend's request is to end
 * @property {Record<string, { prompts: string[], because: string }>} [except] what an engine does otherwise
 * @property {(fixture: import('./fixture.mjs').Fixture) => Promise<string>} run
 */

/** @type {Case[]} */
export const CASES = [
  {
    name: 'approve, the key held by the browser',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey, storage } = await fixture.wallet();
      assert.equal(storage, 'webcrypto');
      const request = fixture.ask(publicKey, 'approve me');
      await tab.asks('approve me');
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'approve, without Ed25519 in the browser: the key sealed',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey, storage } = await fixture.wallet({ page: 'without-ed25519' });
      assert.equal(storage, 'sealed');
      await tab.reload();
      assert.equal((await tab.connected()).publicKey, publicKey);
      const request = fixture.ask(publicKey, 'approve me too');
      await tab.asks('approve me too');
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'decline',
    prompts: ['new'],
    end: 'rejected',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'decline me');
      await tab.asks('decline me');
      await tab.decline();
      return ended(fixture, tab, request, 'declined');
    },
  },
  {
    name: 'reload with an open prompt',
    prompts: ['new', 'resumed'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'before and after');
      await tab.asks('before and after');
      await fixture.untilTold(tab);
      await tab.reload();
      await tab.asks('before and after');
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'to another page and back with an open prompt',
    prompts: ['new', 'resumed'],
    end: 'signed',
    except: {
      Chromium: {
        prompts: ['new'],
        because:
          'it wakes the page that was left; so does WebKitGTK, but without its lock, and Firefox loads a page that had a WebSocket again',
      },
    },
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'there and back');
      await tab.asks('there and back');
      await fixture.untilTold(tab);
      await tab.leaveAndComeBack(fixture.elsewhere);
      await tab.asks('there and back');
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'path cut and mended with an open prompt',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'through the tunnel');
      await tab.asks('through the tunnel');
      await cut(fixture, tab);
      await tab.asks('through the tunnel');
      fixture.proxy.mend();
      await tab.connected();
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'approved while the path is cut',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'in the tunnel');
      await tab.asks('in the tunnel');
      await cut(fixture, tab);
      await tab.approve();
      await tab.asksNothing();
      fixture.proxy.mend();
      return ended(fixture, tab, request, 'accepted');
    },
  },
  {
    name: 'approved and reloaded while nothing gets through',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'decided once');
      await tab.asks('decided once');
      fixture.proxy.stall();
      await tab.approve();
      await tab.until('out', 'sign_response');
      await fixture.untilTold(tab);
      await tab.reload();
      return ended(fixture, tab, request, 'accepted');
    },
  },
  {
    name: 'withdrawn while the path is cut',
    prompts: ['new'],
    end: 'cancelled',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = await fixture.askDurably(publicKey, 'never mind');
      await tab.asks('never mind');
      await cut(fixture, tab);
      await request.withdraw();
      await tab.asks('never mind');
      fixture.proxy.mend();
      return ended(fixture, tab, request, 'cancelled');
    },
  },
  {
    name: 'backend hangs up while the path is cut',
    prompts: ['new'],
    end: 'no answer',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'too long');
      await tab.asks('too long');
      await cut(fixture, tab);
      request.hangUp();
      await fixture.server.untilIdle();
      fixture.proxy.mend();
      return ended(fixture, tab, request, 'cancelled');
    },
  },
  {
    name: 'server killed and back, request on disk',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = await fixture.askDurably(publicKey, 'on disk');
      await tab.asks('on disk');
      await fixture.server.stop('SIGKILL');
      await tab.until('state', 'reconnecting');
      await fixture.startServer();
      await tab.connected();
      return approved(fixture, tab, request);
    },
  },
  {
    name: 'server killed and back, request gone with it',
    prompts: ['new'],
    end: 'no answer',
    async run(fixture) {
      const { tab, publicKey } = await fixture.wallet();
      const request = fixture.ask(publicKey, 'in memory');
      await tab.asks('in memory');
      await fixture.server.stop('SIGKILL');
      await tab.until('state', 'reconnecting');
      await fixture.startServer();
      return ended(fixture, tab, request, 'expired');
    },
  },
  {
    name: 'two windows: one asks',
    prompts: ['new'],
    end: 'signed',
    async run(fixture) {
      const { leader, standby, publicKey } = await opened(fixture, 'window');
      const request = fixture.ask(publicKey, 'not in both');
      await leader.asks('not in both');
      await standby.until('elsewhere', '1');
      await standby.asksNothing();
      const end = await approved(fixture, leader, request);
      await standby.until('elsewhere', '0');
      await fixture.untilTold(standby);
      return end;
    },
  },
  {
    name: 'two windows: the one that asks is closed',
    prompts: ['new', 'resumed'],
    end: 'signed',
    async run(fixture) {
      const { leader, standby, publicKey } = await opened(fixture, 'window');
      const request = fixture.ask(publicKey, 'hand over');
      await leader.asks('hand over');
      await fixture.untilTold(leader);
      await leader.close();
      await standby.asks('hand over');
      return approved(fixture, standby, request);
    },
  },
  {
    name: 'two tabs: the one in front asks',
    prompts: ['new', 'resumed'],
    end: 'signed',
    except: {
      Chromium: {
        prompts: ['new'],
        because: 'without a screen no tab of it is hidden, so that the first may go on asking',
      },
    },
    async run(fixture) {
      const { leader, standby, publicKey } = await opened(fixture, 'tab');
      const isHidden = await leader.evaluate(() => document.visibilityState === 'hidden');
      const [front, other] = isHidden ? [standby, leader] : [leader, standby];
      const request = fixture.ask(publicKey, 'where somebody looks');
      await front.asks('where somebody looks');
      await other.asksNothing();
      await fixture.untilTold(other);
      return approved(fixture, front, request);
    },
  },
  {
    name: 'browser quits with an open prompt and starts again',
    prompts: ['new', 'resumed'],
    end: 'signed',
    run: (fixture) => startedAgain(fixture, (browser) => browser.quit()),
  },
  {
    name: 'browser is killed with an open prompt and starts again',
    prompts: ['new', 'resumed'],
    end: 'signed',
    run: (fixture) => startedAgain(fixture, (browser) => browser.kill()),
  },
  {
    name: 'two devices: one approves',
    prompts: ['new', 'new'],
    devices: 2,
    end: 'signed',
    run: (fixture) => onTwoDevices(fixture, (tab) => tab.approve(), 'accepted'),
  },
  {
    name: 'two devices: one declines',
    prompts: ['new', 'new'],
    devices: 2,
    end: 'rejected',
    run: (fixture) => onTwoDevices(fixture, (tab) => tab.decline(), 'declined'),
  },
];

async function approved(fixture, tab, request) {
  await tab.approve();
  return ended(fixture, tab, request, 'accepted');
}

/** Gives how a request ends for the backend, once the wallet knows that it has `state`, and its human has nothing to decide. */
async function ended(fixture, tab, request, state) {
  const end = await request.end();
  await tab.until('ended', state);
  await tab.asksNothing();
  await fixture.untilTold(tab);
  return end;
}

async function cut(fixture, tab) {
  fixture.proxy.cut();
  await tab.until('state', 'reconnecting');
}

/** One key in two tabs or windows of a browser: the first leads. */
async function opened(fixture, type) {
  const { tab: leader, publicKey } = await fixture.wallet({ type });
  const standby = await fixture.open({ type });
  assert.equal((await standby.until('state', 'standby')).publicKey, publicKey);
  return { leader, standby, publicKey };
}

async function startedAgain(fixture, end) {
  const profile = fixture.newProfile();
  const before = await fixture.browser(profile);
  const { tab: first, publicKey } = await fixture.wallet({ browser: before });
  const request = await fixture.askDurably(publicKey, 'good morning');
  await first.asks('good morning');
  await fixture.untilTold(first);
  await end(before);
  await fixture.server.untilConnections(publicKey, 0);
  const { tab, publicKey: again } = await fixture.wallet({ browser: await fixture.browser(profile) });
  assert.equal(again, publicKey);
  await tab.asks('good morning');
  return approved(fixture, tab, request);
}

async function onTwoDevices(fixture, decide, state) {
  const { tab, publicKey } = await fixture.wallet({ seed: SEED });
  const other = await fixture.wallet({ browser: await fixture.browser(), seed: SEED });
  const request = fixture.ask(publicKey, 'whoever is first');
  await Promise.all([tab, other.tab].map((device) => device.asks('whoever is first')));
  await decide(tab);
  const end = await ended(fixture, tab, request, state);
  await other.tab.until('ended', 'answered_elsewhere');
  await other.tab.asksNothing();
  await fixture.untilTold(other.tab);
  return end;
}
