import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Window } from 'happy-dom';
import { cleanups, code, untilPong } from './bench.mjs';
import { place } from './modules.mjs';
import { Key, load } from './package.mjs';
import { FakeServer } from './server.mjs';

place('react');
const page = new Window();
// Node.js 20 has no navigator, and later ones have one that cannot be assigned to.
if (globalThis.navigator === undefined) Object.assign(globalThis, { navigator: page.navigator });
Object.assign(globalThis, { window: page, document: page.document });

const { createElement, StrictMode } = await import('react');
const { flushSync } = await import('react-dom');
const { createRoot } = await import('react-dom/client');
const { renderToString } = await import('react-dom/server');
const { useWallet } = await load('countersign/react');
/** @type {typeof import('countersign/testing')} */
const { endRequest, testWallet } = await load('countersign/testing');

/** Mounts a component that uses the hook, in React's strict mode; `view()` is what it got last. */
function mounted(options) {
  const root = createRoot(page.document.createElement('div'));
  let view;
  function Probe({ options }) {
    view = useWallet(options);
    return null;
  }
  const render = (options) => flushSync(() => root.render(createElement(StrictMode, null, createElement(Probe, { options }))));
  const unmount = () => flushSync(() => root.unmount());
  cleanups.push(unmount);
  render(options);
  return {
    render,
    unmount,
    view: () => view,
    /** Waits for what the server or a request does, and answers the view that shows it. */
    async until(accept) {
      while (!accept(view)) await new Promise(setImmediate);
      return view;
    },
  };
}

async function start() {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  return { server, key: await Key.generate(), url: server.url };
}

async function connected(options = {}) {
  const { server, key, url } = await start();
  const component = mounted({ key, url, backoff: { initialMs: 20, maxMs: 50 }, ...options });
  const peer = await server.peer();
  await peer.welcome();
  const view = await component.until(({ state }) => state === 'connected');
  return { server, key, url, peer, ...component, first: view };
}

test('strict mode opens one connection and shows a request once', async () => {
  const { server, key, peer, until, view, first } = await connected();
  assert.deepEqual([first.publicKey, first.error, first.requests, first.batches], [key.publicKey, undefined, [], []]);
  const id = await peer.ask('hello');
  const {
    requests: [request],
  } = await until(({ requests }) => requests.length > 0);
  assert.deepEqual([request.id, view().requests.length, server.waitingPeers], [id, 1, 0]);
  const approved = request.approve();
  await peer.next('sign_response');
  assert.deepEqual((await until(({ requests }) => requests.length === 0)).requests, []);
  peer.acknowledge(id, 'accepted');
  await approved;
});

test('what came together is one batch until nothing of it is open', async () => {
  const { peer, until } = await connected();
  const ids = await peer.askBatch(['one', 'two']);
  const {
    batches: [batch],
    requests,
  } = await until(({ batches }) => batches.length > 0);
  assert.deepEqual([batch.requests.map(({ id }) => id), requests], [ids, []]);
  for (const id of ids) peer.send('request_cancel', { request_id: id, cause: 'cancelled' });
  await until(({ batches }) => batches.length === 0);
});

test('what changes about a request is a new view', async () => {
  const { peer, until, view } = await connected();
  const id = await peer.ask('hello');
  const before = await until(({ requests }) => requests.length > 0);
  await peer.ask('hello', { id, attempt: 2 });
  await until((view) => view !== before);
  assert.equal(view().requests[0].attempt, 2);
  assert.notEqual(view().requests, before.requests);
});

test('what a policy approves is no prompt', async () => {
  const { peer, until, view, first } = await connected();
  await first.wallet.policies.grant({ requester: 'Example Shop', prefix: 'hello', uses: 1 });
  await peer.ask('hello');
  assert.match((await peer.next('sign_response')).approved_by, /^policy:/);
  await peer.ask('hello again');
  await until(({ requests }) => requests.length > 0);
  assert.deepEqual(
    view().requests.map(({ message }) => String.fromCharCode(...message)),
    ['hello again'],
  );
});

test('unmounting closes the connection, and mounting again opens one', async () => {
  const { server, peer, unmount, key, url } = await connected();
  unmount();
  assert.equal(await peer.closed, 1000);
  mounted({ key, url });
  const next = await server.peer();
  await next.welcome();
  assert.deepEqual(await untilPong(next), []);
  assert.equal(server.waitingPeers, 0);
});

test('another key or server makes another wallet, and an equal URL does not', async () => {
  const { server, peer, render, until, key, url, first } = await connected();
  render({ key, url: new URL(url) });
  assert.deepEqual([server.waitingPeers, (await until(() => true)).wallet === first.wallet], [0, true]);
  const other = await Key.generate();
  render({ key: other, url });
  assert.equal(await peer.closed, 1000);
  const next = await server.peer();
  await next.welcome();
  const view = await until(({ state }) => state === 'connected');
  assert.deepEqual([view.publicKey, view.wallet === first.wallet], [other.publicKey, false]);
});

test('nothing happens until there is a key, or somebody connects', async () => {
  const { server, key, url } = await start();
  const { render, view, until } = mounted({ key: undefined, url });
  assert.deepEqual([view().state, view().publicKey, view().wallet], ['idle', undefined, undefined]);
  await view().connect();
  view().close();
  render({ key, url, autoConnect: false });
  assert.deepEqual([view().state, view().publicKey, server.waitingPeers], ['idle', key.publicKey, 0]);
  const connecting = view().connect();
  await (await server.peer()).welcome();
  await connecting;
  await until(({ state }) => state === 'connected');
  view().close();
  await until(({ state }) => state === 'closed');
  assert.equal(view().error, undefined);
});

test('what goes wrong is told in the view and breaks no rendering', async () => {
  const key = await Key.generate();
  const wrong = mounted({ key, url: 'ftp://example.com' });
  code('invalid_url')((await wrong.until(({ error }) => error !== undefined)).error);
  await assert.rejects(wrong.view().connect(), code('invalid_url'));

  const { server, url } = await start();
  const { until } = mounted({ key, url });
  const peer = await server.peer();
  await peer.introduce();
  peer.send('error', { code: 'proof_invalid', message: 'the proof does not hold' });
  peer.close(1008);
  const { error } = await until(({ state }) => state === 'closed');
  code('proof_invalid')(error);
});

test('two components with one key and server have one wallet, until the last is gone', async () => {
  const { server, key, url } = await start();
  const one = mounted({ key, url });
  const other = mounted({ key: { publicKey: key.publicKey, storage: 'x', sign: (bytes) => key.sign(bytes) }, url: `${url}?token=1` });
  const peer = await server.peer();
  await peer.welcome();
  await one.until(({ state }) => state === 'connected');
  await other.until(({ state }) => state === 'connected');
  assert.equal(one.view().wallet, other.view().wallet);
  await peer.ask('hello');
  for (const { until } of [one, other]) assert.equal((await until(({ requests }) => requests.length > 0)).requests.length, 1);
  one.unmount();
  assert.deepEqual(await untilPong(peer), []);
  assert.deepEqual([other.view().state, other.view().requests.length, server.waitingPeers], ['connected', 1, 0]);
  other.unmount();
  assert.equal(await peer.closed, 1000);
});

test('lists that begin with the same node share a wallet, and another list makes another once nobody has that', async (t) => {
  const { server, key, url } = await start();
  // Each dials the first.
  t.mock.method(Math, 'random', () => 0.999);
  const listed = (name) => ({ key, url: [url, `wss://${name}.invalid/ws`] });
  const one = mounted(listed('a'));
  const other = mounted(listed('b'));
  const peer = await server.peer();
  await peer.welcome();
  const { wallet } = await one.until(({ state }) => state === 'connected');
  assert.equal((await other.until(({ state }) => state === 'connected')).wallet, wallet);
  one.render(listed('a'));
  other.unmount();
  assert.deepEqual([await untilPong(peer), one.view().wallet === wallet], [[], true], 'an equal list is the same');
  one.render(listed('c'));
  assert.equal(await peer.closed, 1000);
  await (await server.peer()).welcome();
  assert.notEqual((await one.until(({ state }) => state === 'connected')).wallet, wallet);
});

test('one that comes when the last is going takes over, and another key object then makes another wallet', async () => {
  const { server, key, url } = await start();
  const one = mounted({ key, url });
  const peer = await server.peer();
  await peer.welcome();
  const { wallet } = await one.until(({ state }) => state === 'connected');
  one.unmount();
  const two = mounted({ key, url });
  assert.equal((await two.until(({ state }) => state === 'connected')).wallet, wallet);
  two.render({ key: await Key.fromSeed(key.exportSeed()), url });
  assert.equal(await peer.closed, 1000);
  await (await server.peer()).welcome();
  assert.notEqual((await two.until(({ state }) => state === 'connected')).wallet, wallet);
});

test('unmounting while it connects breaks nothing, and what is left connects', async () => {
  const { server, key, url } = await start();
  const one = mounted({ key, url });
  const first = await server.peer();
  one.unmount();
  // However the socket is closed: it may not be open yet.
  await first.closed;
  const two = mounted({ key, url });
  await (await server.peer()).welcome();
  assert.equal((await two.until(({ state }) => state === 'connected')).error, undefined);
});

test('an answer is seen under way, and then what became of it', async () => {
  const { key, ask, askBatch } = await testWallet();
  const { until, view } = mounted({ key });
  await until(({ state }) => state === 'connected');
  const late = await ask('hello', { onAnswer: 'pending' });
  await until(({ requests }) => requests.includes(late));
  const answer = late.approve();
  assert.deepEqual((await until(({ answered }) => answered.length > 0)).answered, [late]);
  assert.deepEqual([view().requests, view().outcomes], [[], []]);
  endRequest(late, 'late');
  await answer;
  const { outcomes, answered } = await until(({ outcomes }) => outcomes.length > 0);
  assert.deepEqual([answered, outcomes[0].request === late, outcomes[0].state], [[], true, 'late']);
  code('late')(outcomes[0].error);
  const [one, two] = await askBatch(['one', 'two']);
  endRequest(one, 'cancelled');
  await two.approve();
  assert.deepEqual(
    (await until(({ outcomes }) => outcomes.length === 3)).outcomes.map(({ state }) => state),
    ['late', 'cancelled', 'accepted'],
  );
  for (let count = 0; count < 20; count++) await (await ask('again')).approve();
  await until(({ outcomes }) => outcomes.every(({ state }) => state === 'accepted'));
  assert.equal(view().outcomes.length, 16);
});

test('on a server it is idle and connects nowhere', async () => {
  const { server, key, url } = await start();
  function Page() {
    const { state, publicKey, requests, wallet } = useWallet({ key, url });
    return createElement('p', null, JSON.stringify([state, publicKey, requests, wallet === undefined]));
  }
  const html = renderToString(createElement(Page));
  assert.ok(html.includes('idle') && html.includes('true'), html);
  await new Promise(setImmediate);
  assert.equal(server.waitingPeers, 0);
});
