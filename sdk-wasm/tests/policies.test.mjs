import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { code, connected, event, setUp, untilPong, walletOf, welcomed } from './bench.mjs';
import { gate, MemoryStore } from './memory-store.mjs';
import { MemoryPolicyStore } from './package.mjs';
import { holds } from './server.mjs';

const SHOP = { requester: 'Example Shop' };
const HELLO = { ...SHOP, kind: /** @type {const} */ ('text'), prefix: 'hello' };
const DAY = 24 * 60 * 60 * 1_000;

/** A connected wallet with rules, and lists of what it tells. */
async function ruled(rules, options = {}) {
  const policyStore = options.policyStore ?? new MemoryPolicyStore();
  const bench = await connected({ policyStore, ...options });
  const approvals = [];
  bench.wallet.on('approved', (approval) => approvals.push(approval));
  const policies = [];
  for (const rule of rules) policies.push(await bench.wallet.policies.grant(rule));
  return { ...bench, policyStore, approvals, policies };
}

/** Has it signed by a policy, or not; says which. */
async function outcome({ peer, requests }, message, options) {
  const before = requests.length;
  const id = await peer.ask(message, options);
  const frames = await untilPong(peer);
  if (requests.length > before) {
    assert.deepEqual(frames, []);
    return 'asked';
  }
  assert.deepEqual(
    frames.map(({ type, request_id: about }) => [type, about]),
    [['sign_response', id]],
  );
  peer.acknowledge(id, 'accepted');
  return frames[0].approved_by;
}

test('what a rule matches is signed, told to the backend and to the wallet, and asked of nobody', async () => {
  const bench = await ruled([{ ...HELLO, uses: 2 }]);
  const {
    wallet,
    peer,
    requests,
    approvals,
    policies: [policy],
    key,
  } = bench;
  wallet.on('batch', () => assert.fail());
  const ended = event(wallet, 'ended');
  const id = await peer.ask('hello', { purpose: 'Order 1042' });
  const response = await peer.next('sign_response');
  assert.ok(holds(key.publicKey, Buffer.from('hello'), response.signature));
  assert.equal(response.approved_by, `policy:${policy.id}`);
  assert.deepEqual(
    approvals.map(({ request, policy }) => [request.id, request.purpose, policy.id, policy.usesLeft]),
    [[id, 'Order 1042', policy.id, 1]],
  );
  peer.acknowledge(id, 'accepted');
  assert.deepEqual(await ended, { requestId: id, state: 'accepted' });
  assert.equal(approvals[0].request.state, 'accepted');
  assert.deepEqual([requests, wallet.requests], [[], []]);
  assert.equal(await outcome(bench, 'hello again'), `policy:${policy.id}`);
  assert.deepEqual(await wallet.policies.list(), []);
  assert.equal(await outcome(bench, 'hello once too often'), 'asked');
});

test('a rule matches its requester, kind and prefix, and all of them', async () => {
  const blind = randomBytes(32).fill(0xff, 0, 1);
  const text = 'Pay 1 EUR';
  /** @type {[object, (string | (string | Buffer)[])[], boolean[]][]} */
  const cases = [
    [{ kind: 'text', prefix: 'Pay' }, [text, ['json', '{}'], ['binary', Buffer.of(0xff)], ['blind', blind]], [true, false, false, false]],
    [{ kind: 'json' }, [text, ['json', '{}']], [false, true]],
    [{ kind: 'binary' }, [text, ['binary', Buffer.of(0xff)], ['blind', blind]], [false, true, false]],
    [{ kind: 'blind' }, [text, ['blind', blind], ['hex', blind.toString('hex')]], [false, true, true]],
    [{ prefix: 'Pay 1' }, [text, 'Pay 100000 EUR', 'Pay 1', 'Pay', 'pay 1 EUR', ' Pay 1'], [true, true, true, false, false, false]],
    [
      { prefix: blind.subarray(0, 4) },
      [
        ['blind', blind],
        ['longer', Buffer.concat([blind, Buffer.of(1)])],
      ],
      [false, true],
    ],
    [
      { prefix: blind.subarray(0, 4), kind: 'blind' },
      [
        ['blind', blind],
        ['longer', Buffer.concat([blind, Buffer.of(1)])],
      ],
      [true, false],
    ],
    [{ prefix: '{"pay":', kind: 'json' }, ['{"pay":1}', '{"pay":1', '{"get":1}'], [true, false, false]],
    [{ prefix: 'für' }, ['für Alice', 'fu'], [true, false]],
    [
      { pattern: 'Sign in to Example Shop, code *' },
      [
        'Sign in to Example Shop, code 7f3a-22',
        'Sign in to Example Shop, code ',
        'Sign in to Example Shop, code 1 2',
        'sign in to Example Shop, code 1',
      ],
      [true, false, false, false],
    ],
    [
      { pattern: 'Sign in (*) again', kind: 'text' },
      [
        'Sign in (a) again',
        'Sign in () again',
        'Sign in (a)\nagain',
        'Sign in (a) again ',
        ' Sign in (a) again',
        'Sign  in (a) again',
        `Sign in (${'a'.repeat(129)}) again`,
      ],
      [true, false, false, false, false, false, false],
    ],
    [{ pattern: 'Pay *.00 EUR' }, ['Pay 1.00 EUR', 'Pay 1.000 EUR', 'Pay .00 EUR'], [true, false, false]],
    // What a reader could take for something else is for a reader.
    [{ prefix: 'Pay' }, ['Pay 1', 'Pay \u202E1', 'Pay \u0430lice', `Pay 1${'\n'.repeat(30)}and 1,000`], [true, false, false, false]],
    [{ kind: 'json' }, ['{"a":1}', '{"a":1,"a":2}'], [true, false]],
  ];
  for (const [rule, messages, expected] of cases) {
    const bench = await ruled([{ ...SHOP, ...rule }]);
    for (const [at, message] of messages.entries()) {
      const bytes = Array.isArray(message) ? message[1] : message;
      const approved = (await outcome(bench, bytes)) !== 'asked';
      assert.equal(approved, expected[at], `${JSON.stringify(rule)} ${String(message)}`);
    }
    for (const requester of ['Example Shop 2', 'example shop', 'Example'])
      assert.equal(await outcome(bench, messages[0].at?.(1) ?? messages[0], { requester }), 'asked');
  }
});

test('rules that bound too little are refused with the reason', async () => {
  const { wallet } = await setUp();
  // biome-ignore format: a list of cases, several a line
  const bad = [
    undefined, null, 'text', {}, { ...SHOP }, { ...SHOP, kind: 'text' }, { prefix: 'a' }, { requester: '', prefix: 'a' },
    { requester: 'x'.repeat(65), prefix: 'a' }, { requester: 7, prefix: 'a' },
    ...['', '*', '* *', '12 *', 'a*b*c', 'word **', 'word '.repeat(205), 7, null, ['word']].map((pattern) => ({ ...SHOP, pattern })),
    ...['json', 'binary', 'blind'].map((kind) => ({ ...SHOP, kind, pattern: 'word' })), { ...SHOP, kind: 'anything' }, { ...SHOP, kind: ['text'] }, { ...SHOP, prefix: '' }, { ...SHOP, prefix: 7 },
    { ...SHOP, prefix: new Uint8Array() }, { ...SHOP, prefix: new Uint8Array(1_025) }, { ...SHOP, prefix: [1] },
    ...[0, -1, 1.5, 1_001, NaN, Infinity, '5', null].map((uses) => ({ ...HELLO, uses })),
    ...[0, -1, 0.5, 30 * DAY + 1, NaN, Infinity, '5', null].map((expiresInMs) => ({ ...HELLO, expiresInMs })),
    { ...HELLO, maxUses: 1 },
  ];
  // @ts-expect-error: not what it takes
  for (const rule of bad) await assert.rejects(wallet.policies.grant(rule), code('invalid_policy'), JSON.stringify(rule));
  assert.deepEqual(await wallet.policies.list(), []);
  await assert.rejects(wallet.policies.grant({ ...SHOP, kind: 'text' }), code('invalid_policy', 'of a text'));
  const policy = await wallet.policies.grant(HELLO);
  assert.deepEqual([policy.usesLeft, policy.expiresAt - policy.grantedAt], [10, DAY]);
  const most = await wallet.policies.grant({
    requester: 'x'.repeat(64),
    prefix: new Uint8Array(1_024).fill(7),
    uses: 1_000,
    expiresInMs: 30 * DAY,
  });
  assert.deepEqual(await wallet.policies.list(), [policy, most]);
});

test('there are no more than a hundred', async () => {
  const { wallet } = await setUp();
  for (let n = 0; n < 100; n++) await wallet.policies.grant({ ...SHOP, prefix: String(n) });
  await assert.rejects(wallet.policies.grant(HELLO), code('invalid_policy'));
  const [{ id }] = await wallet.policies.list();
  assert.deepEqual([await wallet.policies.revoke(id), await wallet.policies.revoke(id)], [true, false]);
  await wallet.policies.grant(HELLO);
});

test('a rule that is revoked, or over, approves nothing; changes are told', async (t) => {
  const bench = await ruled([HELLO]);
  const {
    wallet,
    policies: [{ id }],
  } = bench;
  const changes = [];
  const off = wallet.policies.on('change', (policies) => changes.push(policies.map(({ usesLeft }) => usesLeft)));
  assert.notEqual(await outcome(bench, 'hello'), 'asked');
  await wallet.policies.revoke(id);
  assert.equal(await outcome(bench, 'hello'), 'asked');
  assert.deepEqual(changes, [[9], []]);
  off();

  const { expiresAt, grantedAt } = await wallet.policies.grant({ ...HELLO, expiresInMs: 60_000 });
  const now = t.mock.method(Date, 'now', () => expiresAt - 1);
  assert.notEqual(await outcome(bench, 'hello'), 'asked');
  now.mock.mockImplementation(() => grantedAt - 1);
  assert.equal(await outcome(bench, 'a clock that was set back makes no rule last longer'), 'asked');
  await wallet.policies.revoke('none');
  now.mock.mockImplementation(() => expiresAt);
  assert.equal(await outcome(bench, 'hello'), 'asked');
  assert.equal(changes.length, 2);
});

test('while nobody listens, what a rule matches is signed and the rest declined', async () => {
  const { server, wallet } = await setUp();
  await wallet.policies.grant({ ...HELLO, uses: 1 });
  const connecting = wallet.connect();
  const peer = await server.peer();
  await peer.welcome();
  await connecting;
  const [first, second] = [await peer.ask('hello'), await peer.ask('hello again', { received: false })];
  const frames = [await peer.frames.next(), await peer.frames.next(), await peer.frames.next()].filter(
    ({ type }) => type !== 'request_status',
  );
  assert.deepEqual(
    frames.map(({ type, request_id: id }) => [type, id]),
    [
      ['sign_response', first],
      ['sign_reject', second],
    ],
  );
  assert.deepEqual([frames[1].code, frames[1].scope], ['policy_rejected', 'device']);
});

test('a batch is approved as a whole, or shown as a whole', async () => {
  const bench = await ruled([
    { ...SHOP, prefix: 'a', uses: 3 },
    { ...SHOP, prefix: 'b', uses: 1 },
  ]);
  const {
    wallet,
    peer,
    policies: [a, b],
    approvals,
    requests,
  } = bench;
  const ids = await peer.askBatch(['a1', 'b1', 'a2']);
  const frames = await untilPong(peer);
  assert.deepEqual(
    frames.map(({ request_id: id, approved_by: by }) => [id, by]),
    ids.map((id, at) => [id, `policy:${[a, b, a][at].id}`]),
  );
  assert.deepEqual(
    approvals.map(({ request, policy }) => [request.id, policy.usesLeft]),
    [
      [ids[0], 2],
      [ids[1], 0],
      [ids[2], 1],
    ],
  );

  for (const messages of [
    ['a3', 'c1'],
    ['a3', 'a4'],
  ]) {
    const told = event(wallet, 'batch');
    await peer.askBatch(messages);
    assert.deepEqual(
      (await told).requests.map(({ message }) => String.fromCharCode(...message)),
      messages,
    );
    assert.deepEqual(await untilPong(peer), []);
  }
  assert.deepEqual(
    (await wallet.policies.list()).map(({ id, usesLeft }) => [id, usesLeft]),
    [[a.id, 1]],
    'what was shown has cost nothing',
  );
  assert.deepEqual(requests, []);
});

test('a use is written down before the signature is made', async () => {
  const { open, opened } = gate();
  const { open: atStore, opened: arrived } = gate();
  let isSlow = false;
  class Slow extends MemoryPolicyStore {
    async updatePolicies(wallet, change) {
      await super.updatePolicies(wallet, change);
      if (!isSlow) return;
      atStore();
      await opened;
    }
  }
  const { wallet, peer, requests } = await ruled([HELLO], { policyStore: new Slow() });
  isSlow = true;
  await peer.ask('hello');
  await arrived;
  assert.deepEqual(await untilPong(peer), []);
  assert.deepEqual(wallet.requests, [], 'nobody sees what may yet be approved');
  open();
  assert.match((await peer.next('sign_response')).approved_by, /^policy:/);
  assert.deepEqual(requests, []);
});

test('two wallets that share a store never exceed the uses', async () => {
  const policyStore = new MemoryPolicyStore();
  const first = await ruled([{ ...HELLO, uses: 5 }], { policyStore });
  const wallet = walletOf(first.server, first.key, { policyStore });
  const second = await welcomed(first.server, wallet);
  for (let n = 0; n < 5; n++) {
    await Promise.all([first, second].map(({ peer }) => peer.ask(`hello ${n}`, { received: false })));
  }
  const frames = [...(await untilPong(first.peer)), ...(await untilPong(second.peer))];
  assert.equal(frames.filter(({ type }) => type === 'sign_response').length, 5);
  assert.equal(first.requests.length + second.requests.length, 5);
});

test('what was asked in an earlier life is asked again, whatever a rule says', async () => {
  const store = new MemoryStore();
  const policyStore = new MemoryPolicyStore();
  const before = await ruled([], { store, policyStore });
  const id = await before.peer.ask('hello');
  assert.equal(before.requests.length, 1);
  await before.wallet.policies.grant(HELLO);
  before.wallet.close();
  const after = await welcomed(before.server, walletOf(before.server, before.key, { store, policyStore }));
  await after.peer.ask('hello', { id, attempt: 2 });
  assert.deepEqual(await untilPong(after.peer), []);
  assert.deepEqual(
    after.requests.map(({ resumed }) => resumed),
    [true],
  );
  assert.match(await outcome(after, 'hello again'), /^policy:/);
});

test('a request that ends while the store is asked is neither signed nor shown', async () => {
  for (const matches of [true, false]) {
    const { open, opened } = gate();
    const { open: atStore, opened: arrived } = gate();
    class Slow extends MemoryPolicyStore {
      isSlow = false;

      /** @type {import('countersign').PolicyStore['updatePolicies']} */
      async updatePolicies(wallet, change) {
        if (!this.isSlow) return super.updatePolicies(wallet, change);
        atStore();
        await opened;
        return super.updatePolicies(wallet, change);
      }
    }
    const policyStore = new Slow();
    const { wallet, peer, requests, approvals, errors } = await ruled(matches ? [HELLO] : [], { policyStore });
    policyStore.isSlow = true;
    const id = await peer.ask('hello');
    await arrived;
    const ended = event(wallet, 'ended');
    peer.send('request_cancel', { request_id: id, cause: 'cancelled' });
    assert.deepEqual({ ...(await ended), error: undefined }, { requestId: id, state: 'cancelled', error: undefined });
    open();
    await wallet.policies.list();
    assert.deepEqual(await untilPong(peer), []);
    assert.deepEqual([requests, approvals, errors], [[], [], []]);
  }
});

test('a store that fails, hangs or does not call back leaves the decision to a human', async () => {
  const failing = {
    async updatePolicies() {
      throw new DOMException('no room', 'QuotaExceededError');
    },
  };
  const throwing = {
    updatePolicies() {
      throw new Error('denied');
    },
  };
  const idle = { async updatePolicies() {} };
  const hanging = { updatePolicies: () => new Promise(() => {}) };
  for (const policyStore of [failing, throwing, idle, hanging]) {
    const { wallet, peer } = await connected({ policyStore });
    const errors = [];
    wallet.on('error', (error) => errors.push(error));
    const request = event(wallet, 'request');
    await peer.ask('hello');
    assert.equal((await request).state, 'open');
    assert.deepEqual(
      errors.map((error) => error.code),
      ['storage_failed'],
    );
    if (policyStore !== hanging) await assert.rejects(wallet.policies.grant(HELLO), code('storage_failed'));
  }
});

test('a store that comes too late spends nothing and approves nothing', async () => {
  const { open, opened } = gate();
  let kept;
  let isSlow = false;
  const policyStore = {
    async updatePolicies(_, change) {
      if (isSlow) await opened;
      kept = change(kept) ?? kept;
    },
  };
  const { wallet, peer } = await ruled([HELLO], { policyStore });
  isSlow = true;
  const request = event(wallet, 'request');
  await peer.ask('hello');
  await request;
  open();
  await untilPong(peer);
  assert.deepEqual(await untilPong(peer), []);
  assert.deepEqual(
    (await wallet.policies.list()).map(({ usesLeft }) => usesLeft),
    [10],
  );
});

test('what a store was made to hold approves nothing unless it is a rule in every field', async () => {
  const now = Date.now();
  const sound = {
    id: 'a-1',
    requester: 'Example Shop',
    kind: 'text',
    prefix: Buffer.from('hello').toString('base64'),
    usesLeft: 3,
    grantedAt: now,
    expiresAt: now + 1_000_000,
  };
  const without = (name) => Object.fromEntries(Object.entries(sound).filter(([key]) => key !== name));
  // biome-ignore format: a list of cases, several a line
  const hostile = [
    'no json', 'null', '7', '{}', '"x"', '[null]', '[[]]', '[7]', JSON.stringify(sound), '['.repeat(100_000),
    ...[
      ...Object.keys(sound).filter((name) => name !== 'kind').map(without),
      { ...sound, pattern: '*' }, { ...sound, pattern: 7 }, { ...sound, kind: 'json', pattern: 'hello' },
      { ...sound, id: 'a b' }, { ...sound, id: 7 }, { ...sound, id: 'x'.repeat(65) }, { ...sound, requester: ['Example Shop'] },
      { ...sound, kind: 'any' }, { ...sound, kind: null }, { ...sound, prefix: '' }, { ...sound, prefix: '6' }, { ...sound, prefix: 'zz' },
      { ...sound, prefix: [] }, { ...sound, prefix: null }, { ...sound, prefix: Buffer.alloc(1_025).toString('base64') },
      { ...sound, usesLeft: 1_001 }, { ...sound, usesLeft: 0 }, { ...sound, usesLeft: '3' }, { ...sound, usesLeft: -1 }, { ...sound, usesLeft: null },
      { ...sound, grantedAt: now + 60_000 }, { ...sound, grantedAt: -1 }, { ...sound, expiresAt: now - 1 }, { ...sound, expiresAt: now + 31 * DAY },
      { ...sound, grantedAt: 'x' }, { ...sound, untilNoon: true },
    ].map((one) => JSON.stringify([one])),
  ];
  let kept;
  const policyStore = {
    async updatePolicies(_, change) {
      kept = change(kept) ?? kept;
    },
  };
  const bench = await connected({ policyStore }, { maxInflight: 200 });
  for (kept of hostile) {
    assert.deepEqual(await bench.wallet.policies.list(), [], kept.slice(0, 200));
    assert.equal(await outcome(bench, 'hello'), 'asked', kept.slice(0, 200));
  }
  kept = JSON.stringify([{ ...sound, kind: 'any' }, sound]);
  assert.deepEqual(await bench.wallet.policies.list(), [{ ...sound, prefix: new TextEncoder().encode('hello') }]);
  assert.equal(await outcome(bench, 'hello'), 'policy:a-1');
  kept = JSON.stringify(Array(200).fill(sound));
  assert.equal((await bench.wallet.policies.list()).length, 100);
  assert.deepEqual(bench.errors, []);
});

test('a rule is for one key and one server', async () => {
  const policyStore = new MemoryPolicyStore();
  const first = await ruled([HELLO], { policyStore });
  const other = await ruled([], { policyStore });
  assert.equal(await outcome(other, 'hello'), 'asked');
  const sameKey = walletOf(other.server, first.key, { policyStore });
  assert.deepEqual(await sameKey.policies.list(), []);
  assert.match(await outcome(first, 'hello'), /^policy:/);
});

test('a policy whose key is gone signs nothing and says so', async () => {
  const { wallet, peer, key, approvals } = await ruled([HELLO]);
  const ended = event(wallet, 'ended');
  key.free();
  await peer.ask('hello', { received: false });
  const { state, error } = await ended;
  assert.deepEqual([state, error?.code], ['failed', 'key_freed']);
  assert.deepEqual(
    (await untilPong(peer)).map(({ type, code }) => code ?? type),
    ['request_status', 'locked'],
  );
  assert.deepEqual(approvals, []);
});
