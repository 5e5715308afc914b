// countersign/testing: that it does as a wallet does with a server, and leaves nothing behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { code, connected, event } from './bench.mjs';
import { directory, load, Wallet } from './package.mjs';

/** @type {typeof import('countersign/testing')} */
const { answerOf, endRequest, testBatch, testRequest, testWallet, wasDisplayed } = await load('countersign/testing');

/** What is seen of a request from when it was told to its end. */
function witness(request) {
  /** @type {string[]} */
  const seen = [request.state];
  request.on('change', () => seen.push(request.state));
  request.signal.addEventListener('abort', () => seen.push(`signal: ${request.signal.reason.code}`));
  return seen;
}

/** @param {import('countersign').Outcome} outcome */
const told = ({ state, error }) => [state, error?.code, error?.message];

/** A request of a real wallet, asked by the server of these tests. */
async function real() {
  const { peer, wallet, requests } = await connected();
  const id = await peer.ask('hello');
  const [request] = requests;
  return {
    wallet,
    request,
    displayed: () => peer.next('request_status'),
    acknowledge: async (outcome) => {
      await peer.next(request.state === 'open' ? 'none' : (answered(request) ?? 'sign_response'));
      peer.acknowledge(id, outcome);
    },
    cancel: (cause) => peer.send('request_cancel', { request_id: id, cause }),
  };
}

const rejected = new WeakSet();
const answered = (request) => (rejected.has(request) ? 'sign_reject' : undefined);

/** One of this entry's, with the same controls. */
const fakes = {
  'of no wallet': async (onAnswer) => {
    const request = testRequest('hello', { onAnswer });
    return { wallet: undefined, request };
  },
  'of a wallet': async (onAnswer) => {
    const { wallet, ask } = await testWallet();
    wallet.on('request', () => {});
    return { wallet, request: await ask('hello', { onAnswer }) };
  },
};

/**
 * What is done with a request: the same with a server and without.
 *
 * @type {Record<string, [(request: import('countersign').SignRequest) => Promise<import('countersign').Outcome>, any, string]>}
 */
const scripts = {
  accepted: [(request) => request.approve(), 'accepted', 'accepted'],
  late: [(request) => request.approve(), 'late', 'late'],
  'bad signature': [(request) => request.approve(), 'bad_signature', 'bad_signature'],
  'another message': [(request) => request.approve(), 'message_mismatch', 'message_mismatch'],
  unknown: [(request) => request.approve(), 'unknown_request', 'unknown'],
  declined: [
    (request) => {
      rejected.add(request);
      return request.reject({ reason: 'no', code: 'locked' });
    },
    'declined',
    'accepted',
  ],
};

for (const [name, [act, end, acknowledged]] of Object.entries(scripts)) {
  test(`an answer that is ${name} is told as a wallet tells it`, async () => {
    const { request, acknowledge } = await real();
    const seen = witness(request);
    const outcome = act(request);
    await acknowledge(acknowledged);
    const expected = [told(await outcome), seen];
    for (const [kind, make] of Object.entries(fakes)) {
      for (const onAnswer of [end === 'declined' ? 'accepted' : end, 'pending']) {
        const { request } = await make(onAnswer);
        const seen = witness(request);
        const outcome = act(request);
        if (onAnswer === 'pending') {
          await new Promise(setImmediate);
          assert.equal(request.state, 'answered');
          endRequest(request, end);
        }
        assert.deepEqual([told(await outcome), seen], expected, kind);
        assert.throws(() => endRequest(request, 'late'), TypeError);
      }
    }
  });
}

for (const cause of /** @type {const} */ (['cancelled', 'expired', 'answered_elsewhere'])) {
  test(`a request that is ${cause} is told as a wallet tells it`, async () => {
    const { wallet, request, cancel } = await real();
    const seen = witness(request);
    const over = event(wallet, 'ended');
    cancel(cause);
    await over;
    const expected = [told(await request.approve()), seen];
    for (const [kind, make] of Object.entries(fakes)) {
      const { wallet, request } = await make();
      const seen = witness(request);
      const over = wallet && event(wallet, 'ended');
      assert.throws(() => endRequest(request, 'accepted'), TypeError);
      endRequest(request, cause);
      assert.deepEqual([told(await request.approve()), seen], expected, kind);
      if (over !== undefined) assert.deepEqual([(await over).requestId, (await over).state], [request.id, cause]);
    }
  });
}

test('what makes no sense is refused as a wallet refuses it', async () => {
  const misuse = {
    invalid_answer: [
      (request) => request.approve({ approvedBy: 'policy:' }),
      (request) => request.approve({ approvedBy: 'nobody' }),
      (request) => request.reject({ code: 'nonsense' }),
      (request) => request.reject({ scope: 'nonsense' }),
      (request) => request.reject('a\nb'),
      (request) => request.reject('x'.repeat(257)),
    ],
    already_answered: [(request) => Promise.all([request.approve(), request.approve()]), (request) => request.reject()],
  };
  for (const make of [real, ...Object.values(fakes).map((make) => () => make('pending'))]) {
    const { request } = await make();
    for (const [expected, calls] of Object.entries(misuse)) {
      for (const call of calls) await assert.rejects(call(request), code(expected), String(call));
    }
  }
});

test('what was answered and shown can be asked for', async () => {
  const [one, other] = [
    testRequest('one', { purpose: 'Order 1042', requester: 'Shop', attempt: 2, resumed: true }),
    testRequest(new Uint8Array([1])),
  ];
  assert.deepEqual([one.purpose, one.requester.name, one.attempt, one.resumed], ['Order 1042', 'Shop', 2, true]);
  assert.deepEqual([new TextDecoder().decode(one.message), [...other.message]], ['one', [1]]);
  assert.ok(one.remainingMs > 50_000 && one.remainingMs <= 60_000);
  assert.deepEqual([answerOf(one), wasDisplayed(one)], [undefined, false]);
  one.displayed();
  await one.approve();
  await other.reject('not this time');
  assert.deepEqual([answerOf(one), wasDisplayed(one)], [{ approvedBy: 'human' }, true]);
  assert.deepEqual([answerOf(other), wasDisplayed(other)], [{ code: 'user_rejected', reason: 'not this time', scope: 'key' }, false]);
  const { requests } = await connected();
  assert.throws(() => answerOf(requests[0]), TypeError);
});

test('a batch is approved, and what of it has ended is left alone', async () => {
  const batch = testBatch(['one', 'two', 'three'], { purpose: 'Order 1042' });
  assert.deepEqual([batch.purpose, batch.requests.map(({ batch }) => batch?.index)], ['Order 1042', [0, 1, 2]]);
  endRequest(batch.requests[1], 'cancelled');
  const outcomes = await batch.approve();
  assert.deepEqual(
    outcomes.map(({ state }) => state),
    ['accepted', 'cancelled', 'accepted'],
  );
  const gone = testBatch(['one', 'two']);
  for (const request of gone.requests) endRequest(request, 'expired');
  code('expired')(gone.signal.reason);
});

test('a wallet of the key is a real one: events, batches, policies, connection', async () => {
  const { wallet, key, ask, askBatch, disconnect, reconnect } = await testWallet();
  assert.ok(wallet instanceof Wallet);
  assert.equal(wallet.state, 'connected');
  wallet.close();
  const own = new Wallet({ key, url: 'wss://sign.example.com/ws' });
  const states = [];
  own.on('state', ({ state, error }) => states.push(error ? `${state}: ${error.code}` : state));
  await own.connect();
  const ignored = await ask('nobody listens');
  assert.deepEqual(answerOf(ignored)?.code, 'policy_rejected');
  /** @type {any[][]} */
  const [requests, batches, approved] = [[], [], []];
  own.on('request', (request) => requests.push(request));
  own.on('batch', (batch) => batches.push(batch));
  own.on('approved', ({ request }) => approved.push(request));
  const asked = await ask('hello');
  assert.deepEqual([requests[0] === asked, own.requests[0] === asked], [true, true]);
  const together = await askBatch(['one', 'two']);
  assert.deepEqual(batches[0].requests, together);
  await own.policies.grant({ requester: 'Example Shop', prefix: 'login ' });
  const login = await ask('login 1');
  assert.deepEqual([approved[0] === login, requests.length], [true, 1]);
  assert.match(answerOf(login)?.approvedBy ?? '', /^policy:/);
  disconnect();
  assert.equal(own.state, 'reconnecting');
  await assert.rejects(ask('nobody is there'), TypeError);
  assert.equal(asked.state, 'open');
  reconnect();
  own.close();
  code('closed')((await asked.approve()).error);
  assert.deepEqual(states, [
    'connecting',
    'introducing',
    'connected',
    'reconnecting: connection_lost',
    'connecting',
    'introducing',
    'connected',
    'closed',
  ]);
});

test('it loads no WebAssembly, dials nothing and leaves no timer', () => {
  const script = `
    import { testRequest, testWallet } from 'countersign/testing';
    import { Wallet } from 'countersign';
    delete globalThis.WebAssembly;
    globalThis.fetch = () => { throw new Error('it fetches'); };
    const set = globalThis.setTimeout;
    const timers = new Set();
    globalThis.setTimeout = (...given) => { const timer = set(...given); timers.add(timer); return timer; };
    const clear = globalThis.clearTimeout;
    globalThis.clearTimeout = (timer) => { timers.delete(timer); clear(timer); };
    const { wallet, ask, key } = await testWallet();
    wallet.on('request', (request) => request.approve());
    const request = await ask('hello');
    await testRequest('hello').approve();
    await new Wallet({ key, url: '/ws' }).connect();
    console.log(wallet.state, request.state, timers.size);`;
  writeFileSync(join(directory, 'unit.mjs'), script);
  // It ends by itself, though no wallet was closed.
  const output = execFileSync(process.execPath, ['unit.mjs'], { cwd: directory, encoding: 'utf8', timeout: 30_000 });
  assert.equal(output, 'connected accepted 0\n');
});

test('the example of the README does what it says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```js\n(import \{[^}]*\} from 'countersign\/testing';\n.*?)```/s.exec(readme) ?? [];
  assert.ok(example);
  writeFileSync(join(directory, 'readme.mjs'), example);
  const output = execFileSync(process.execPath, ['readme.mjs'], { cwd: directory, encoding: 'utf8', timeout: 30_000 });
  const said = ["accepted { approvedBy: 'human' }", 'late', 'true'];
  assert.deepEqual(output.split('\n').slice(0, 3), said);
  for (const line of said) assert.ok(example.includes(`// ${line.replace(/^accepted/, "'accepted'").replace(/^late/, "'late'")}`), line);
});
