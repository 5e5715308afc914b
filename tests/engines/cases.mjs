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
 * @property {(stage: import('./stage.mjs').Stage) => Promise<string>} play
 */

/** @type {Case[]} */
export const CASES = [
  {
    name: 'approve, the key held by the browser',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey, storage } = await stage.wallet();
      assert.equal(storage, 'webcrypto');
      const request = stage.ask(publicKey, 'approve me');
      await tab.asks('approve me');
      return approved(stage, tab, request);
    },
  },
  {
    name: 'approve, without Ed25519 in the browser: the key sealed',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey, storage } = await stage.wallet({ page: 'without-ed25519' });
      assert.equal(storage, 'sealed');
      await tab.reload();
      assert.equal((await tab.connected()).publicKey, publicKey);
      const request = stage.ask(publicKey, 'approve me too');
      await tab.asks('approve me too');
      return approved(stage, tab, request);
    },
  },
  {
    name: 'decline',
    prompts: ['new'],
    end: 'rejected',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'decline me');
      await tab.asks('decline me');
      await tab.decline();
      return ended(stage, tab, request, 'declined');
    },
  },
  {
    name: 'reload with an open prompt',
    prompts: ['new', 'resumed'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'before and after');
      await tab.asks('before and after');
      await stage.untilTold(tab);
      await tab.reload();
      await tab.asks('before and after');
      return approved(stage, tab, request);
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
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'there and back');
      await tab.asks('there and back');
      await stage.untilTold(tab);
      await tab.leaveAndComeBack(stage.elsewhere);
      await tab.asks('there and back');
      return approved(stage, tab, request);
    },
  },
  {
    name: 'path cut and mended with an open prompt',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'through the tunnel');
      await tab.asks('through the tunnel');
      await cut(stage, tab);
      await tab.asks('through the tunnel');
      stage.path.mend();
      await tab.connected();
      return approved(stage, tab, request);
    },
  },
  {
    name: 'approved while the path is cut',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'in the tunnel');
      await tab.asks('in the tunnel');
      await cut(stage, tab);
      await tab.approve();
      await tab.asksNothing();
      stage.path.mend();
      return ended(stage, tab, request, 'accepted');
    },
  },
  {
    name: 'approved and reloaded while nothing gets through',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'decided once');
      await tab.asks('decided once');
      stage.path.stall();
      await tab.approve();
      await tab.until('out', 'sign_response');
      await stage.untilTold(tab);
      await tab.reload();
      return ended(stage, tab, request, 'accepted');
    },
  },
  {
    name: 'withdrawn while the path is cut',
    prompts: ['new'],
    end: 'cancelled',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = await stage.askDurably(publicKey, 'never mind');
      await tab.asks('never mind');
      await cut(stage, tab);
      await request.withdraw();
      await tab.asks('never mind');
      stage.path.mend();
      return ended(stage, tab, request, 'cancelled');
    },
  },
  {
    name: 'backend hangs up while the path is cut',
    prompts: ['new'],
    end: 'no answer',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'too long');
      await tab.asks('too long');
      await cut(stage, tab);
      request.hangUp();
      await stage.server.untilIdle();
      stage.path.mend();
      return ended(stage, tab, request, 'cancelled');
    },
  },
  {
    name: 'server killed and back, request on disk',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = await stage.askDurably(publicKey, 'on disk');
      await tab.asks('on disk');
      await stage.server.stop('SIGKILL');
      await tab.until('state', 'reconnecting');
      await stage.startServer();
      await tab.connected();
      return approved(stage, tab, request);
    },
  },
  {
    name: 'server killed and back, request gone with it',
    prompts: ['new'],
    end: 'no answer',
    async play(stage) {
      const { tab, publicKey } = await stage.wallet();
      const request = stage.ask(publicKey, 'in memory');
      await tab.asks('in memory');
      await stage.server.stop('SIGKILL');
      await tab.until('state', 'reconnecting');
      await stage.startServer();
      return ended(stage, tab, request, 'expired');
    },
  },
  {
    name: 'two windows: one asks',
    prompts: ['new'],
    end: 'signed',
    async play(stage) {
      const { leader, standby, publicKey } = await opened(stage, 'window');
      const request = stage.ask(publicKey, 'not in both');
      await leader.asks('not in both');
      await standby.until('elsewhere', '1');
      await standby.asksNothing();
      const end = await approved(stage, leader, request);
      await standby.until('elsewhere', '0');
      await stage.untilTold(standby);
      return end;
    },
  },
  {
    name: 'two windows: the one that asks is closed',
    prompts: ['new', 'resumed'],
    end: 'signed',
    async play(stage) {
      const { leader, standby, publicKey } = await opened(stage, 'window');
      const request = stage.ask(publicKey, 'hand over');
      await leader.asks('hand over');
      await stage.untilTold(leader);
      await leader.close();
      await standby.asks('hand over');
      return approved(stage, standby, request);
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
    async play(stage) {
      const { leader, standby, publicKey } = await opened(stage, 'tab');
      const isHidden = await leader.evaluate(() => document.visibilityState === 'hidden');
      const [front, other] = isHidden ? [standby, leader] : [leader, standby];
      const request = stage.ask(publicKey, 'where somebody looks');
      await front.asks('where somebody looks');
      await other.asksNothing();
      await stage.untilTold(other);
      return approved(stage, front, request);
    },
  },
  {
    name: 'browser quits with an open prompt and starts again',
    prompts: ['new', 'resumed'],
    end: 'signed',
    play: (stage) => startedAgain(stage, (browser) => browser.quit()),
  },
  {
    name: 'browser is killed with an open prompt and starts again',
    prompts: ['new', 'resumed'],
    end: 'signed',
    play: (stage) => startedAgain(stage, (browser) => browser.kill()),
  },
  {
    name: 'two devices: one approves',
    prompts: ['new', 'new'],
    devices: 2,
    end: 'signed',
    play: (stage) => onTwoDevices(stage, (tab) => tab.approve(), 'accepted'),
  },
  {
    name: 'two devices: one declines',
    prompts: ['new', 'new'],
    devices: 2,
    end: 'rejected',
    play: (stage) => onTwoDevices(stage, (tab) => tab.decline(), 'declined'),
  },
];

async function approved(stage, tab, request) {
  await tab.approve();
  return ended(stage, tab, request, 'accepted');
}

/** Gives how a request ends for the backend, once the wallet knows that it has `state`, and its human has nothing to decide. */
async function ended(stage, tab, request, state) {
  const end = await request.end();
  await tab.until('ended', state);
  await tab.asksNothing();
  await stage.untilTold(tab);
  return end;
}

async function cut(stage, tab) {
  stage.path.cut();
  await tab.until('state', 'reconnecting');
}

/** One key in two tabs or windows of a browser: the first leads. */
async function opened(stage, type) {
  const { tab: leader, publicKey } = await stage.wallet({ type });
  const standby = await stage.open({ type });
  assert.equal((await standby.until('state', 'standby')).publicKey, publicKey);
  return { leader, standby, publicKey };
}

async function startedAgain(stage, end) {
  const profile = stage.newProfile();
  const before = await stage.browser(profile);
  const { tab: first, publicKey } = await stage.wallet({ browser: before });
  const request = await stage.askDurably(publicKey, 'good morning');
  await first.asks('good morning');
  await stage.untilTold(first);
  await end(before);
  await stage.server.untilConnections(publicKey, 0);
  const { tab, publicKey: again } = await stage.wallet({ browser: await stage.browser(profile) });
  assert.equal(again, publicKey);
  await tab.asks('good morning');
  return approved(stage, tab, request);
}

async function onTwoDevices(stage, decide, state) {
  const { tab, publicKey } = await stage.wallet({ seed: SEED });
  const other = await stage.wallet({ browser: await stage.browser(), seed: SEED });
  const request = stage.ask(publicKey, 'whoever is first');
  await Promise.all([tab, other.tab].map((device) => device.asks('whoever is first')));
  await decide(tab);
  const end = await ended(stage, tab, request, state);
  await other.tab.until('ended', 'answered_elsewhere');
  await other.tab.asksNothing();
  await stage.untilTold(other.tab);
  return end;
}
