// The errors that somebody meets who sets this up for the first time: each names the cause, and what to do.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { cleanups, code, connected, event, setUp, state, untilPong, walletOf, welcomed } from './bench.mjs';
import { MemoryStore } from './memory-store.mjs';
import { directory, Key, Wallet } from './package.mjs';
import { portOf } from './server.mjs';

test('a refused proof says which audience was named, and what to set on the server', async () => {
  const { server, key } = await setUp();
  const wallet = walletOf(server, key, { url: `${server.url}?token=secret` });
  const refused = event(wallet, 'error');
  const connecting = wallet.connect();
  const peer = await server.peer();
  await peer.introduce();
  peer.send('error', { code: 'proof_invalid', message: 'the proof does not hold' });
  peer.close(1008);
  for (const error of [await refused, await connecting.catch((error) => error)]) {
    code('proof_invalid')(error);
    assert.ok(error.message.includes(`--audience ${server.url}, `), error.message);
    assert.match(error.message, /the proof does not hold.*from no origin/);
    assert.doesNotMatch(error.message, /secret/);
  }
});

test('a server that is away is named, with what to check; one that was there is not', async () => {
  const { server, wallet, peer } = await connected();
  const lost = state(wallet, 'reconnecting');
  peer.drop();
  const { error } = await lost;
  code('connection_lost')(error);
  assert.doesNotMatch(String(error), /cannot be reached/);
  const { url } = server;
  await server.stop();
  const away = await event(wallet, 'state', ({ error }) => /cannot be reached/.test(error?.message ?? ''));
  code('connection_lost')(away.error);
  for (const part of [url, 'the server runs', 'WebSockets', 'certificate', 'connect-src'])
    assert.ok(away.error?.message.includes(part), part);
});

test('a web server that knows no WebSockets is named, and no secret of the address with it', async () => {
  const web = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(web, 'listening');
  cleanups.push(() => new Promise((resolve) => web.close(resolve)));
  const wallet = new Wallet({ key: await Key.generate(), url: `ws://127.0.0.1:${portOf(web)}/ws?token=secret` });
  cleanups.push(() => wallet.close());
  const away = state(wallet, 'reconnecting');
  wallet.connect().catch(() => {});
  const { error } = await away;
  assert.ok(error?.message.startsWith(`ws://127.0.0.1:${portOf(web)}/ws cannot be reached`), String(error));
  assert.doesNotMatch(String(error), /secret/);
});

test('a socket that cannot be made is told with its address', async () => {
  class Refusing {
    constructor() {
      throw new DOMException('insecure', 'SecurityError');
    }
  }
  const { server, wallet } = await setUp({ WebSocket: Refusing });
  await assert.rejects(wallet.connect(), code('dial_refused', `${server.url}: `));
});

for (const years of [-40, 30]) {
  test(`a clock that is ${Math.abs(years)} years ${years < 0 ? 'behind' : 'ahead'} changes nothing`, async (t) => {
    const off = years * 365 * 24 * 60 * 60 * 1_000;
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + off);
    const store = new MemoryStore();
    const before = await connected({ store });
    await before.wallet.policies.grant({ requester: 'Example Shop', prefix: 'login' });
    const id = await before.peer.ask('hello');
    assert.ok(before.requests[0].remainingMs > 50_000 && before.requests[0].remainingMs <= 60_000);
    void before.requests[0].approve().catch(() => {});
    const answer = await before.peer.next('sign_response');
    await before.peer.ask('login 1');
    assert.match((await before.peer.next('sign_response')).approved_by, /^policy:/);
    const over = event(before.wallet, 'ended');
    const expiring = await before.peer.ask('soon over', { expiresInMs: 30 });
    const { requestId, state } = await over;
    assert.deepEqual([requestId, state], [expiring, 'expired']);

    before.wallet.close();
    const after = await welcomed(before.server, walletOf(before.server, before.key, { store }));
    assert.deepEqual(
      (await untilPong(after.peer)).find(({ request_id: about }) => about === id),
      answer,
    );
    const open = await after.peer.ask('while the clock is set right');
    t.mock.restoreAll();
    const approved = after.requests[after.requests.length - 1].approve();
    assert.equal((await after.peer.next('sign_response')).request_id, open);
    after.peer.acknowledge(open, 'accepted');
    await approved;
  });
}

test('where there is no WebAssembly, or it is forbidden, an error says which and what to do', () => {
  const script = (take) => `
    ${take}
    const { Key, openKey, verify } = await import('countersign');
    const uses = [() => Key.generate(), () => openKey(), () => verify('${'A'.repeat(43)}=', new Uint8Array(), new Uint8Array(64))];
    for (const use of uses) await use().catch(({ code, message }) => console.log(code, /Lockdown Mode|Content-Security-Policy/.test(message)));`;
  const run = (take) => execFileSync(process.execPath, ['--input-type=module', '-e', script(take)], { cwd: directory, encoding: 'utf8' });
  assert.equal(run('delete globalThis.WebAssembly;'), 'no_webassembly true\n'.repeat(3));
  // As Chromium and Firefox say it.
  for (const words of ["Refused to compile because 'unsafe-eval' is not allowed", 'call to WebAssembly.compile() blocked by CSP']) {
    const forbid = `WebAssembly.compile = async () => { throw new WebAssembly.CompileError(${JSON.stringify(words)}); };`;
    assert.equal(run(forbid), 'wasm_blocked true\n'.repeat(3));
  }
});
