import assert from 'node:assert/strict';
import { test } from 'node:test';
import { became, cleanups, code, connected, event, listen, setUp, state, untilPong, walletOf, welcomed } from './bench.mjs';
import { fakeTabs } from './locks.mjs';
import { gate, MemoryStore } from './memory-store.mjs';
import { MemoryPolicyStore } from './package.mjs';

/** What tabs of one browser share; `sight` says which of them somebody sees. */
function browser(sight = {}) {
  return { store: new MemoryStore(), tabGroup: fakeTabs(sight) };
}

/** A tab that is connected and another that stands by. */
async function two(options = {}) {
  const shared = { ...browser(), ...options };
  const first = await connected(shared);
  const second = { key: first.key, ...listen(walletOf(first.server, first.key, shared)) };
  await second.wallet.connect();
  return { shared, server: first.server, first, second };
}

test('the second tab stands by, sees what the first has open, and takes over when that closes', async () => {
  const { server, first, second } = await two();
  assert.deepEqual([first.wallet.state, second.wallet.state], ['connected', 'standby']);
  await second.wallet.connect();
  const seen = event(second.wallet, 'elsewhere', (requests) => requests.length === 1);
  const id = await first.peer.ask('hello', { purpose: 'Order 1042' });
  const [request] = first.requests;
  assert.deepEqual(await seen, [
    { id, requester: { name: 'Example Shop' }, purpose: 'Order 1042', expiresAt: request.expiresAt, state: 'open' },
  ]);
  assert.deepEqual([second.wallet.elsewhere.length, first.wallet.elsewhere.length, second.requests.length], [1, 0, 0]);
  assert.equal(server.waitingPeers, 0);

  const welcoming = state(second.wallet, 'connected');
  first.wallet.close();
  const peer = await server.peer();
  const { introduction } = await peer.welcome();
  await welcoming;
  assert.equal(introduction.device.id, first.introduction.device.id);
  assert.deepEqual(second.wallet.elsewhere, []);
  await peer.ask('hello', { id, attempt: 2, purpose: 'Order 1042' });
  assert.equal(second.requests[0].resumed, true);
});

test('what was decided in one tab is not asked in the next', async () => {
  const { server, first, second } = await two();
  const id = await first.peer.ask('hello');
  const answered = event(second.wallet, 'elsewhere', ([request]) => request?.state === 'answered');
  void first.requests[0].approve().catch(() => {});
  const response = await first.peer.next('sign_response');
  await answered;
  first.wallet.close();
  const peer = await server.peer();
  await peer.welcome();
  assert.deepEqual(await peer.next('sign_response'), response);
  await peer.ask('hello', { id, attempt: 2, received: false });
  assert.deepEqual(await peer.next('sign_response'), response);
  assert.deepEqual(second.requests, []);
});

test('a tab takes over only when all is written that it has to know', async () => {
  const { shared, server, first, second } = await two();
  await first.peer.ask('hello');
  const { open, opened } = gate();
  shared.store.before = () => opened;
  void first.requests[0].approve().catch(() => {});
  first.wallet.close();
  await new Promise(setImmediate);
  assert.equal(second.wallet.state, 'standby');
  open();
  const peer = await server.peer();
  await peer.welcome();
  await peer.next('sign_response');
});

test('what ended is no longer told to others', async () => {
  const { first, second } = await two();
  const seen = event(second.wallet, 'elsewhere', (requests) => requests.length === 1);
  const id = await first.peer.ask('hello');
  await seen;
  const gone = event(second.wallet, 'elsewhere', (requests) => requests.length === 0);
  first.peer.send('request_cancel', { request_id: id, cause: 'cancelled' });
  await gone;
});

test('a tab that opens later is told what is open', async () => {
  const { shared, server, first } = await two();
  const id = await first.peer.ask('hello');
  const third = walletOf(server, first.key, shared);
  const seen = event(third, 'elsewhere');
  await third.connect();
  assert.equal((await seen)[0].id, id);
});

test('a tab that is closed while it stands by does not take over', async () => {
  const { server, first, second } = await two();
  const closed = state(second.wallet, 'closed');
  second.wallet.close();
  assert.equal((await closed).error, undefined);
  first.wallet.close();
  const connecting = first.wallet.connect();
  await (await server.peer()).welcome();
  await connecting;
  assert.equal(server.waitingPeers, 0);
  assert.equal(second.wallet.state, 'closed');
});

test('a wallet that is closed and connected again does not wait behind itself', async () => {
  const { server, wallet } = await connected(browser());
  const states = [];
  wallet.on('state', (event) => states.push(event.state));
  wallet.close();
  const connecting = wallet.connect();
  await (await server.peer()).welcome();
  await connecting;
  assert.deepEqual(states, ['closed', 'connecting', 'introducing', 'connected']);
});

test('a refusal that is final lets each tab try once', async () => {
  const shared = browser();
  const { server, key, wallet } = await setUp(shared);
  const others = [1, 2].map(() => walletOf(server, key, shared));
  const refuse = async () => {
    const peer = await server.peer();
    await peer.introduce();
    peer.send('error', { code: 'key_refused', message: 'not this one' });
    peer.close(1008);
  };
  const connecting = wallet.connect();
  const first = await server.peer();
  await Promise.all(others.map((other) => other.connect()));
  const closing = others.map((other) => state(other, 'closed'));
  await first.introduce();
  first.send('error', { code: 'key_refused', message: 'not this one' });
  first.close(1008);
  await assert.rejects(connecting, code('key_refused'));
  await refuse();
  await refuse();
  for (const { error } of await Promise.all(closing)) assert.equal(error?.code, 'key_refused');
  assert.equal(server.waitingPeers, 0);
});

test('each tab connects where that is wanted, or where there can be no lock', async () => {
  const noLocks = {
    ...browser().tabGroup,
    locks: {
      request: async () => {
        throw new DOMException('opaque origin', 'SecurityError');
      },
    },
  };
  /** @type {Partial<import('countersign').WalletOptions>[]} */
  const unlocked = [
    { ...browser(), tabs: 'each' },
    // Spread, because the package's types do not show it.
    { ...browser(), ...{ tabGroup: noLocks } },
  ];
  for (const options of unlocked) {
    const { server, key } = await connected(options);
    await welcomed(server, walletOf(server, key, options));
  }
});

test("other wallets do not stand in each other's way", async () => {
  const shared = browser();
  await connected(shared);
  await connected(shared);
});

test('what comes over the channel is read with care', async () => {
  const { server, first, second } = await two();
  const heard = [];
  second.wallet.on('elsewhere', (requests) => heard.push(requests));
  const stranger = new BroadcastChannel(`countersign:${server.url}:${first.key.publicKey}`);
  cleanups.push(() => stranger.close());
  const good = { id: 'x', requester: { name: 'Shop' }, purpose: undefined, expiresAt: 1, state: 'open' };
  const bad = [
    null,
    'open',
    7,
    {},
    { open: null },
    { open: 'all' },
    { open: { length: 1 } },
    { open: [null] },
    { open: new Array(1) },
    ...[
      { id: 7 },
      { id: '' },
      { id: 'x'.repeat(37) },
      { requester: null },
      { requester: { name: {} } },
      { purpose: 1 },
      { purpose: 'x'.repeat(257) },
      { expiresAt: '1' },
      { expiresAt: Infinity },
      { state: 'accepted' },
    ].map((change) => ({ open: [{ ...good, ...change }] })),
    { open: new Array(257).fill(good) },
  ];
  for (const message of bad) stranger.postMessage(message);
  const enough = event(second.wallet, 'elsewhere');
  stranger.postMessage({ open: [{ ...good, more: 'is ignored' }] });
  assert.deepEqual(await enough, [good]);
  assert.equal(heard.length, 1);
  stranger.postMessage({ open: [good] });
  assert.deepEqual(await untilPong(first.peer), []);
  assert.deepEqual(first.wallet.elsewhere, [], 'the tab that leads listens to nobody');
});

test('a rule granted or revoked in a tab that stands by counts in the one that leads, and both are told', async () => {
  const policyStore = new MemoryPolicyStore();
  const { first, second } = await two({ policyStore });
  /**
   * @param {import('countersign').Wallet} wallet
   * @returns {Promise<readonly import('countersign').Policy[]>}
   */
  const changes = ({ policies }) =>
    new Promise((resolve) => {
      const off = policies.on('change', (changed) => {
        off();
        resolve(changed);
      });
    });
  const told = Promise.all([changes(first.wallet), changes(second.wallet)]);
  const policy = await second.wallet.policies.grant({ requester: 'Example Shop', prefix: 'hello' });
  assert.deepEqual(await told, [[policy], [policy]]);
  const used = changes(second.wallet);
  await first.peer.ask('hello');
  assert.equal((await first.peer.next('sign_response')).approved_by, `policy:${policy.id}`);
  assert.deepEqual(
    (await used).map(({ usesLeft }) => usesLeft),
    [9],
  );
  await second.wallet.policies.revoke(policy.id);
  await first.peer.ask('hello again');
  assert.deepEqual([await untilPong(first.peer), first.requests.length], [[], 1]);
});

test('useHere has this tab connect, and what is open elsewhere is asked here', async () => {
  const { server, first, second } = await two();
  const id = await first.peer.ask('hello');
  const [before] = first.requests;
  const standing = state(first.wallet, 'standby');
  const connecting = second.wallet.useHere();
  await standing;
  assert.equal(/** @type {Error & { code?: string }} */ (before.signal.reason).code, 'superseded');
  await became(before.approve(), code('superseded'));
  const peer = await server.peer();
  const { introduction } = await peer.welcome();
  await connecting;
  assert.equal(introduction.device.id, first.introduction.device.id);
  await peer.ask('hello', { id, attempt: 2 });
  assert.equal(second.requests[0].resumed, true);
  void second.requests[0].approve();
  await peer.next('sign_response');

  const back = first.wallet.useHere();
  const again = await server.peer();
  await again.welcome();
  await back;
  assert.deepEqual([first.wallet.state, second.wallet.state], ['connected', 'standby']);
  await again.ask('hello', { id, attempt: 3, received: false });
  assert.equal(first.requests.length, 1, 'what was decided in the other tab is not asked in this one');
});

test('a wallet that is closed while another tab takes over stays closed', async () => {
  for (const closesAt of /** @type {const} */ (['ended', 'state'])) {
    const { server, first, second } = await two();
    await first.peer.ask('hello');
    first.wallet.on(closesAt, () => first.wallet.close());
    const connecting = second.wallet.useHere();
    await (await server.peer()).welcome();
    await connecting;
    second.wallet.close();
    await new Promise(setImmediate);
    assert.deepEqual([first.wallet.state, server.waitingPeers], ['closed', 0], closesAt);
  }
});

test('useHere is connect() where no other tab has the wallet', async () => {
  const { server, wallet } = await setUp(browser());
  const connecting = wallet.useHere();
  await (await server.peer()).welcome();
  await connecting;
  assert.equal(wallet.state, 'connected');
});

test('a tab takes the lead only when all is written that it has to know', async () => {
  const { shared, server, first, second } = await two();
  await first.peer.ask('hello');
  const { open, opened } = gate();
  shared.store.before = () => opened;
  void first.requests[0].approve();
  void second.wallet.useHere();
  await state(first.wallet, 'standby');
  assert.equal(second.wallet.state, 'standby');
  open();
  const peer = await server.peer();
  await peer.welcome();
  await peer.next('sign_response');
  assert.deepEqual(second.requests, []);
});

test('what waits in a hidden tab is asked in the one that somebody works with', async () => {
  const { server, first, second } = await two(browser({ isVisible: () => false, isFocused: () => true }));
  const id = await first.peer.ask('hello');
  const peer = await server.peer();
  await peer.welcome();
  await peer.ask('hello', { id, attempt: 2 });
  assert.deepEqual([first.wallet.state, second.requests.length], ['standby', 1]);
});

test('a tab that is seen keeps what it asks', async () => {
  const { first, second } = await two(browser({ isFocused: () => true }));
  const seen = event(second.wallet, 'elsewhere', (requests) => requests.length === 1);
  await first.peer.ask('hello');
  await seen;
  assert.deepEqual(await untilPong(first.peer), []);
  assert.deepEqual([first.wallet.state, second.wallet.state], ['connected', 'standby']);
});

for (const [who, isFocused, state] of /** @type {const} */ ([
  ['that somebody works with', true, 'connecting'],
  ['that nobody works with', false, 'standby'],
])) {
  test(`where a frozen tab leads, one ${who} is ${state} after a while`, async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const shared = browser({ isFocused: () => isFocused });
    const { server, key, wallet } = await setUp(shared);
    const frozen = shared.tabGroup.locks.request(`countersign:${server.url}:${key.publicKey}`, {}, () => new Promise(() => {}));
    const isLost = frozen.then(
      () => false,
      () => true,
    );
    await wallet.connect();
    context.mock.timers.tick(5_000);
    assert.equal(wallet.state, 'standby', 'it may be busy');
    context.mock.timers.tick(5_000);
    context.mock.timers.tick(1_000);
    if (isFocused) assert.equal(await isLost, true);
    await new Promise(setImmediate);
    assert.equal(wallet.state, state);
    wallet.close();
  });
}
