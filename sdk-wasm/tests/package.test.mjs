import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, relative, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CountersignError, directory, installed, Key, verify, Wallet } from './package.mjs';
import { FakeServer, holds, introductionBytes, portOf } from './server.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const vectors = join(dirname(root), 'protocol', 'vectors');

const code = (expected) => (error) => {
  assert.ok(error instanceof CountersignError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

/** Runs a script beside the installed package; answers what it wrote, once it has ended by itself. */
async function run(name, script) {
  writeFileSync(join(directory, name), script);
  const child = spawn(process.execPath, [name], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [exit] = await once(child, 'close');
  assert.equal(exit, 0, `${name} ended with ${exit}`);
  return output.trim();
}

/** Every file below a directory, as its path from there. */
const filesIn = (root) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, '/'));

test('the package holds what it needs and nothing else', () => {
  const files = filesIn(installed);
  const { dependencies, exports, optionalDependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const named = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(named));
  const entries = named(exports).map((path) => path.replace('./', ''));
  const loose = files.filter(
    (name) => !entries.includes(name) && !/^(dist\/((?:embedded|shared)\.js|[\w-]+\.js\.map)|LICENSE-.+|README\.md)$/.test(name),
  );
  // biome-ignore format: a list of names, not one a line
  assert.deepEqual(loose.map((name) => name.replace('dist/types/', '')).sort(), ['common/bytes.d.ts', 'common/errors.d.ts',
    'entries/shared-wallet.d.ts', 'entries/shared.d.ts', 'entries/test-answers.d.ts', 'keys/key-formats.d.ts', 'keys/key.d.ts', 'keys/open-key.d.ts',
    'keys/public-key.d.ts', 'keys/signer.d.ts', 'keys/verify.d.ts', 'keys/web-crypto-key.d.ts', 'messages/describe.d.ts',
    'platform/encoding-polyfill.d.ts', 'platform/platform.d.ts', 'platform/wasm.d.ts', 'policies/policies.d.ts', 'policies/policy.d.ts', 'requests/batch.d.ts',
    'requests/request.d.ts', 'storage/policy-store.d.ts', 'storage/wallet-store.d.ts', 'wallet/events.d.ts', 'wallet/options.d.ts',
    'wallet/other-tabs.d.ts', 'wallet/wallet.d.ts']);
  assert.deepEqual(
    entries.filter((name) => !files.includes(name)),
    [],
  );
  assert.equal(dependencies, undefined);
  // Loaded by Node.js 20 only, which has no WebSocket.
  assert.deepEqual(Object.keys(optionalDependencies), ['ws']);
});

test('the types stand on their own and show nothing of the inside', () => {
  for (const name of filesIn(installed).filter((name) => name.endsWith('.d.ts'))) {
    const types = readFileSync(join(installed, name), 'utf8');
    assert.doesNotMatch(types, /core|Core|wbg|emitter|store-queue|\/tabs\.js|Actions|TabGroup|Platform/, name);
  }
  writeFileSync(
    join(directory, 'use.ts'),
    `
    import {
      CountersignError, Key, Wallet, WebCryptoKey, deleteKey, formatPublicKey, init, openKey, verify, type ElsewhereRequest, type Outcome, type SignBatch, type Signer, type SignRequest, type StateEvent, type WalletStore,
    } from 'countersign';
    import { describe, digest, MemoryPolicyStore, type ApprovedEvent, type Description, type EndedEvent, type Policy, type PolicyStore } from 'countersign';
    import { exportEncrypted, importEncrypted } from 'countersign/encrypted';
    import { importKey, importWebCryptoKey } from 'countersign/import';
    import { keyFromMnemonic } from 'countersign/mnemonic';
    await init();
    using key: Key = await Key.fromSeed(new Uint8Array(32));
    using wallet = new Wallet({ key, url: new URL('wss://example.com/ws'), device: { id: 'a', label: 'b' } });
    const off: () => void = wallet.on('request', async (request: SignRequest) => {
      request.displayed();
      if (request.state === 'open' && request.message.length < 10) await request.approve();
      else await request.reject({ code: 'locked', scope: 'device' });
    });
    wallet.on('state', ({ state, retryInMs }: StateEvent) => console.log(state, retryInMs));
    await wallet.connect({ signal: AbortSignal.timeout(1) }).catch((error: CountersignError) => error.code);
    const store: WalletStore = {
      load: async ({ publicKey, audience }, newDeviceId) => ({ deviceId: newDeviceId + publicKey + audience, requests: [] }),
      put: async (wallet, { id, expiresAt, durable, record }) => console.log(wallet, id, expiresAt, durable, record),
      delete: async (wallet, requestId) => console.log(wallet, requestId),
    };
    using other = new Wallet({ key, store, tabs: 'each' });
    other.on('batch', async (batch: SignBatch) => {
      batch.displayed();
      const outcomes: readonly Outcome[] = await batch.approve({ approvedBy: 'policy:rent' });
      console.log(batch.requests[0]?.batch?.size, batch.requests[0]?.resumed, outcomes, batch.signal.aborted);
    });
    other.on('elsewhere', (requests: readonly ElsewhereRequest[]) => console.log(requests === other.elsewhere));
    const policyStore: PolicyStore = { updatePolicies: async ({ publicKey }, change) => console.log(publicKey, change(undefined)) };
    const ruled = new Wallet({ key, store: false, policyStore: Math.random() < 0.5 ? policyStore : new MemoryPolicyStore() });
    const policy: Policy = await ruled.policies.grant({ requester: 'Example Shop', kind: 'json', prefix: new Uint8Array(1), uses: 1, expiresInMs: 1 });
    ruled.policies.on('change', (policies: readonly Policy[]) => console.log(policies.map(({ usesLeft, prefix }) => [usesLeft, prefix?.length])));
    ruled.on('approved', ({ request, policy }: ApprovedEvent) => console.log(request.state, policy.expiresAt));
    ruled.on('ended', ({ requestId, state, error }: EndedEvent) => console.log(requestId, state, error?.code));
    console.log(await ruled.policies.revoke(policy.id), (await ruled.policies.list()).length);
    const description: Description = describe(new Uint8Array(1));
    console.log(description.kind === 'blind', description.segments.map(({ text, hidden }) => hidden ?? text), description.warnings[0]?.code);
    console.log((await digest(new Uint8Array(1))).length);
    // @ts-expect-error: no rule without a requester
    await ruled.policies.grant({ prefix: 'hello' });
    const signer: Signer = { publicKey: key.publicKey, storage: 'mine', sign: async (bytes) => key.sign(bytes) };
    new Wallet({ key: signer });
    const jwk: JsonWebKey = (await importKey(key.exportPkcs8())).exportJwk();
    const imported: Key = await importKey(jwk);
    await crypto.subtle.importKey('pkcs8', imported.exportPkcs8(), 'Ed25519', false, ['sign']);
    const kept: WebCryptoKey | Key = await openKey({ name: 'savings' });
    new Wallet({ key: kept });
    const where: 'webcrypto' | 'sealed' | 'memory' = kept.storage;
    const taken: WebCryptoKey = await importWebCryptoKey(jwk, { name: where });
    await taken.delete();
    await deleteKey({ name: 'savings' });
    const text: string = await exportEncrypted(key, 'correct horse', { memoryKib: 65_536 });
    const back: Key = await importEncrypted(text, 'correct horse');
    const derived: Key = await keyFromMnemonic('legal winner …', { path: "m/44'/501'/0'/0'", passphrase: '' });
    using wallets = new Wallet({ key: back.publicKey === derived.publicKey ? back : derived });
    const x: string = formatPublicKey(key.publicKey, 'jwk').x + formatPublicKey(key.publicKey, 'did:key');
    // @ts-expect-error: opened or imported only
    new WebCryptoKey(x, x, x);
    const holds: boolean = await verify(key.publicKey, key.exportSeed(), '');
    const own: boolean = await verify(kept.publicKey, new Uint8Array(), await kept.sign(new Uint8Array()));
    // @ts-expect-error: no code of an error
    const typo: boolean = new Set<CountersignError>().values().next().value.code === 'proof_invald';
    // @ts-expect-error: no code of an error
    wallet.on('error', ({ code }) => code === 'storage_faild');
    wallet.on('state', (event) => {
      if (event.state === 'reconnecting') console.log(event.retryInMs.toFixed(), event.error.code);
      else if (event.state === 'connected') console.log(event.connectionId.length);
    });
    wallet.on('ended', ({ state, error }) => console.log(state === 'accepted' || state === 'declined' ? state : error.message));
    // @ts-expect-error: made by wallets only
    new SignRequest();
    // @ts-expect-error: made by Key.generate() and Key.fromSeed() only
    new Key();
    // @ts-expect-error: no such event
    wallet.on('requests', () => {});
    export { off, holds, own, typo };
  `,
  );
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--lib',
    'es2023,dom,esnext.disposable',
    '--types',
    '',
  ];
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  try {
    execFileSync(tsc, [...options, 'use.ts'], { cwd: directory, encoding: 'utf8' });
  } catch (error) {
    assert.fail(/** @type {{ stdout: string }} */ (error).stdout);
  }
});

test('the process ends by itself once the wallet is closed, and not before', async () => {
  const server = await FakeServer.start();
  const script = run(
    'ends.js',
    `
    import { Key, Wallet } from 'countersign';
    const key = await Key.generate();
    const wallet = new Wallet({ key, url: ${JSON.stringify(server.url)} });
    wallet.on('request', async (request) => {
      await request.approve();
      // What \`using wallet = …\` does at the end of its block.
      wallet[Symbol.dispose]();
      console.log(wallet.state);
    });
    await wallet.connect();
  `,
  );
  const peer = await server.peer();
  const { introduction } = await peer.welcome();
  const id = await peer.ask('hello');
  const response = await peer.next('sign_response');
  assert.ok(holds(introduction.public_key, Buffer.from('hello'), response.signature));
  peer.acknowledge(id, 'accepted');
  assert.equal(await script, 'closed');
  await server.stop();
});

test('reconnecting many times keeps nothing of the old sockets', async () => {
  const server = await FakeServer.start();
  const script = run(
    'reconnects.js',
    `
    import { Key, Wallet } from 'countersign';
    let open = 0;
    const finalised = new FinalizationRegistry(() => open--);
    class Counted extends globalThis.Socket {
      constructor(...args) { super(...args); open++; finalised.register(this, 0); }
    }
    const wallet = new Wallet({ key: await Key.generate(), url: ${JSON.stringify(server.url)}, WebSocket: Counted, backoff: { initialMs: 0, maxMs: 0 } });
    let welcomes = 0;
    wallet.on('state', ({ state }) => { if (state === 'connected' && ++welcomes === 50) setTimeout(check, 100); });
    async function check() {
      for (let i = 0; i < 400 && open > 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 50)); }
      wallet.close();
      console.log(open <= 5 ? 'few' : open);
    }
    await wallet.connect();
  `.replace(
      'import { Key',
      "import Ws from 'ws';\nimport v8 from 'node:v8';\nimport vm from 'node:vm';\nglobalThis.Socket = Ws;\nv8.setFlagsFromString('--expose-gc');\nconst gc = vm.runInNewContext('gc');\nimport { Key",
    ),
  );
  for (let i = 0; i < 50; i++) {
    const peer = await server.peer();
    await peer.welcome();
    if (i < 49) peer.drop();
  }
  assert.equal(await script, 'few');
  await server.stop();
});

test('keys are made, taken in, given out and freed', async () => {
  const key = await Key.generate();
  assert.notEqual((await Key.generate()).publicKey, key.publicKey);
  const seed = key.exportSeed();
  assert.equal(seed.length, 32);
  assert.equal((await Key.fromSeed(seed)).publicKey, key.publicKey);
  key.free();
  key[Symbol.dispose]();
  assert.throws(() => key.exportSeed(), code('key_freed'));
  for (const bad of [new Uint8Array(31), new Uint8Array(64), 'seed', undefined, [1]]) {
    // @ts-expect-error: not what it takes
    await assert.rejects(Key.fromSeed(bad), code('invalid_seed'));
  }
});

test('what cannot be a wallet is refused with the reason', async () => {
  const key = await Key.generate();
  // @ts-expect-error: not what it takes
  assert.throws(() => new Wallet({ key: {}, url: 'wss://example.com/ws' }), code('invalid_key'));
  // @ts-expect-error: not what it takes
  assert.throws(() => new Wallet(), code('invalid_key'));
  for (const url of [
    undefined,
    '/ws',
    'nonsense',
    'ftp://example.com/ws',
    'wss://me:secret@example.com/ws',
    'ws://example.com/ws',
    'http://10.0.0.1/ws',
  ]) {
    assert.throws(() => new Wallet({ key, url }), code('invalid_url'), url);
  }
  for (const url of [
    'ws://localhost/ws',
    'ws://[::1]:1/ws',
    'http://127.0.0.1/',
    'wss://EXAMPLE.com:443/a%20b',
    'https://bücher.example/ws',
  ]) {
    new Wallet({ key, url });
  }
  const device = (device) => () => new Wallet({ key, url: 'wss://example.com/ws', device });
  assert.throws(device({ id: '', label: 'x' }), code('invalid_device'));
  assert.throws(device({ id: 'x', label: 'x'.repeat(65) }), code('invalid_device'));
});

test('a .wasm that cannot be had says where it was looked for and what to do', async () => {
  const web = createServer((request, response) => {
    response.writeHead(request.url === '/missing.wasm' ? 404 : 200, { 'content-type': 'text/html' });
    response.end('<!doctype html>');
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  const base = `http://127.0.0.1:${portOf(web)}`;
  const output = await run(
    'nowasm.js',
    `
    import { init, Key } from 'countersign';
    for (const source of ['${base}/missing.wasm', '${base}/page', 'http://127.0.0.1:1/x.wasm', new URL('file:///nowhere/x.wasm'), '/nowhere/x.wasm', 'x.wasm', new Uint8Array([1, 2])]) {
      await init(source).catch((error) => console.log(error.code, error.message.includes('init(url')));
    }
    await init('node_modules/countersign/dist/signer.wasm');
    await Key.generate();
    console.log('loaded');
  `,
  );
  web.close();
  assert.deepEqual(output.split('\n'), [
    'wasm_not_found true',
    'wasm_invalid true',
    'wasm_not_found true',
    'wasm_not_found false',
    'wasm_not_found false',
    'wasm_not_found false',
    'wasm_invalid false',
    'loaded',
  ]);
});

test('what signs and verifies is loaded when it is needed, from where init() says', async () => {
  const output = await run(
    'later.js',
    `
    import { init, Key, verify, Wallet } from 'countersign';
    import { statSync } from 'node:fs';
    const sizes = ['signer', 'ed25519'].map((name) => [statSync(\`node_modules/countersign/dist/\${name}.wasm\`).size, name]);
    const compiled = [];
    const { compile } = WebAssembly;
    WebAssembly.compile = (bytes) => {
      // Node.js has WebAssembly of its own, for fetch.
      const name = new Map(sizes).get(bytes.byteLength);
      if (name !== undefined) compiled.push(name);
      return compile(bytes);
    };
    const wallet = (key) => new Wallet({ key, url: 'wss://example.com/ws' }).publicKey;
    const key = ['11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=', Buffer.alloc(64).toString('base64')];

    await verify(key[0], Buffer.from('hello'), key[1]);
    console.log(compiled.join());
    try { wallet({ publicKey: key[0], storage: 'x', sign() {} }) } catch ({ code }) { console.log(code); }
    await init();
    wallet({ publicKey: key[0], storage: 'x', sign() {} });
    await Promise.all([Key.generate(), Key.generate()]);
    console.log(compiled.join());
  `,
  );
  assert.deepEqual(output.split('\n'), ['ed25519', 'wasm_not_loaded', 'ed25519,signer']);
  const elsewhere = await run(
    'elsewhere.js',
    `
    import { init, Key, verify } from 'countersign';
    import { readFile } from 'node:fs/promises';
    await init(undefined, { ed25519: '/nowhere/ed25519.wasm' });
    await init();
    for (const use of [() => Key.generate(), () => verify('${Buffer.alloc(32, 1).toString('base64')}', Buffer.from('x'), '${Buffer.alloc(64).toString('base64')}')]) {
      await use().catch(({ code, message }) => console.log(code, message.includes('/nowhere/ed25519.wasm')));
    }
    await init(undefined, { ed25519: await readFile('node_modules/countersign/dist/ed25519.wasm') });
    console.log((await Key.generate()).storage);
  `,
  );
  assert.deepEqual(elsewhere.split('\n'), ['wasm_not_found true', 'wasm_not_found true', 'memory']);
});

test('verifies strictly', async () => {
  const [{ public_key: publicKey, message, signature }] = read('proofs.json').messages;
  const bytes = Buffer.from(message, 'base64');
  assert.equal(await verify(publicKey, bytes, signature), true);
  assert.equal(await verify((await Key.generate()).publicKey, bytes, signature), false);
  assert.equal(await verify(publicKey, Buffer.concat([bytes, Buffer.from('.')]), signature), false);
  assert.equal(await verify(publicKey, bytes, Buffer.from(signature, 'base64')), true);
});

test('what the golden vectors refuse does not verify', { skip: !existsSync(vectors) }, async () => {
  for (const { name, public_key: publicKey, message, signature } of read('refused.json').signatures) {
    assert.equal(await verify(publicKey, Buffer.from(message, 'base64'), signature), false, name);
  }
});

function read(name) {
  return JSON.parse(readFileSync(join(vectors, name), 'utf8'));
}

function keyOf({ seed }) {
  return Key.fromSeed(Buffer.from(seed, 'hex'));
}

test('the keys and proofs of the golden vectors are those of this package and of OpenSSL', { skip: !existsSync(vectors) }, async () => {
  for (const proof of read('proofs.json').proofs) {
    assert.equal((await keyOf(proof)).publicKey, proof.public_key, proof.name);
    const bytes = introductionBytes({ ...proof, publicKey: proof.public_key });
    assert.equal(bytes.toString('hex'), proof.signed, proof.name);
    assert.ok(holds(proof.public_key, bytes, proof.proof), proof.name);
  }
  for (const { name, public_key: publicKey, message, signature } of read('proofs.json').messages) {
    assert.equal(await verify(publicKey, Buffer.from(message, 'base64'), signature), true, name);
  }
});
