// The packed package, installed into an empty project: the README as it stands, the types, and each runtime that it names.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { Cleanups, freePort, PATIENCE, Wallet, World } from './world.mjs';

const execute = promisify(execFile);
const here = fileURLToPath(new URL('..', import.meta.url));
/** The runtimes are those that the other package is tested with. */
const runtimes = join(here, '../../tests/packaging/node_modules');
const tool = (name) => join(runtimes, '.bin', name);
const node = (name) => join(runtimes, name, 'bin/node');
/** The key of the README, RFC 8032 §7.1, test 1. */
const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');

const cleanups = new Cleanups();
let project;
let world;
let hookPort;
/** Where nobody listens. */
let nobody;

before(async () => {
  const { version } = JSON.parse(await readFile(join(here, 'package.json'), 'utf8'));
  project = await mkdtemp(join(tmpdir(), 'countersign-client-'));
  await cp(join(here, 'tests/app'), project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "private": true }');
  const tarball = join(here, `countersign-client-${version}.tgz`);
  // Nothing else is needed, so no registry is either.
  await execute('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
  hookPort = await freePort();
  nobody = `http://127.0.0.1:${await freePort()}`;
  world = await World.start('--no-rate-limit', '--webhook-target', `http://127.0.0.1:${hookPort}/hook`);
});
afterEach(() => cleanups.run());
after(async () => {
  await world.stop();
  await rm(project, { recursive: true, force: true });
});

/**
 * @param {Buffer} [seed]
 * @param {(request: any) => any} [decide]
 */
async function wallet(seed, decide) {
  const connected = await new Wallet(world.ws, decide, seed).connect();
  cleanups.add(() => connected.close());
  return connected;
}

/** The README's blocks of JavaScript, with the addresses of this test. */
async function blocks() {
  const readme = await readFile(join(here, 'README.md'), 'utf8');
  const found = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  return found.map((code) => code.replaceAll('http://127.0.0.1:8080', world.url).replaceAll('9000', String(hookPort)));
}

/** Runs a program of the project, which has to end by itself and well. */
async function run(program, args) {
  const { stdout, stderr } = await execute(program, args, { cwd: project, timeout: PATIENCE.timeout });
  assert.equal(stderr, '');
  return stdout;
}

test("a stranger's afternoon: from npm install to a verified signature, receipt and webhook in under 30 lines", PATIENCE, async () => {
  await wallet(SEED);
  const [afternoon] = await blocks();
  assert.ok(afternoon.trim().split('\n').length < 30);
  await writeFile(join(project, 'afternoon.mjs'), afternoon);
  const lines = (await run(process.execPath, ['afternoon.mjs'])).trim().split('\n').sort();
  assert.equal(lines.length, 3);
  assert.equal(lines[0], 'receipt: signed by human');
  assert.match(lines[1], /^signature: [A-Za-z0-9+/]{86}==$/);
  assert.equal(lines[2], 'webhook: signed');
});

test("the README's other examples run as they stand", PATIENCE, async () => {
  const asked = await wallet(SEED, ({ purpose }) => (purpose === 'no' ? { code: 'user_rejected', reason: 'not this time' } : 'sign'));
  const [, waiting, errors, offline] = await blocks();
  const given = `import { Countersign } from 'countersign-client';
    const countersign = new Countersign('${world.url}');
    const publicKey = '${asked.publicKey}';
    const message = new TextEncoder().encode('given');\n`;
  const example = async (code, before = '') => {
    await writeFile(join(project, 'example.mjs'), `${given}${before}${code}`);
    return (await run(process.execPath, ['example.mjs'])).trim().split('\n');
  };
  const lines = await example(waiting);
  assert.deepEqual(lines.slice(-4, -2), ['signed', '64']);
  for (const id of lines.slice(-2)) assert.match(id, /^[0-9a-f-]{36}$/);

  const call = 'sendToSign(publicKey, message)';
  assert.ok(errors.includes(call));
  assert.deepEqual(await example(errors.replace(call, "sendToSign(publicKey, message, { purpose: 'no' })")), [
    'user_rejected not this time',
  ]);
  const [code] = await example(errors.replace(call, 'sendToSign(publicKey, new Uint8Array())'));
  assert.match(code, /^invalid_message: .* 400 undefined undefined \[ \{ pointer: '\/message'/);
  asked.close();

  // What is given to the last example is what the server tells.
  const received = `import { createServer } from 'node:http';
    import { once } from 'node:events';
    const receiver = createServer().listen(${hookPort}, '127.0.0.1');
    await once(receiver, 'listening');
    const submitted = await countersign.submit(publicKey, message, { queue: true, webhook: 'http://127.0.0.1:${hookPort}/hook' });
    await submitted.cancel();
    const [request, response] = await once(receiver, 'request');
    const body = Buffer.concat(await request.toArray());
    response.end();
    receiver.close();
    receiver.closeAllConnections();
    const headers = request.headers;
    const receipt = await submitted.receipt();\n`;
  assert.deepEqual(await example(offline, received), ['cancelled cancelled']);
});

test('the types are those of a strict project, by this compiler and one of three years ago', PATIENCE, async () => {
  const options = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom',
    '--skipLibCheck',
    'false',
  ];
  for (const [compiler, ...resolution] of [
    [join(here, 'node_modules/typescript'), '--module', 'nodenext'],
    [join(runtimes, 'typescript52'), '--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    await run(process.execPath, [join(compiler, 'bin/tsc'), ...options, ...resolution, 'types.mts']);
  }
});

const SEEN = {
  signature: 64,
  batch: [true, true],
  end: 'signed',
  receipt: 'signed',
  lie: true,
  forged: true,
  unreached: true,
  sent: false,
  aborted: 'enough',
  cancelled: 'cancelled',
};

for (const [name, command] of [
  ['Node.js 20', [node('node20')]],
  ['Node.js 22', [node('node22')]],
  ['Node.js 26', [node('node26')]],
  ['Deno', [tool('deno'), 'run', '--no-prompt', '--allow-net=127.0.0.1']],
  ['Bun', [tool('bun')]],
]) {
  test(`it runs in ${name}`, PATIENCE, async () => {
    const { publicKey } = await wallet();
    const [program, ...args] = command;
    const { stdout } = await execute(program, [...args, 'main.mjs', world.url, publicKey, nobody], {
      cwd: project,
      timeout: PATIENCE.timeout,
    });
    assert.deepEqual(JSON.parse(stdout), SEEN);
  });
}

test('it can be required', PATIENCE, async () => {
  const { publicKey } = await wallet();
  for (const version of ['node22', 'node26']) {
    const { stdout } = await execute(node(version), ['main.cjs', world.url, publicKey], { cwd: project, timeout: PATIENCE.timeout });
    assert.equal(stdout, 'human\n');
  }
});

/** The port that a starting workerd tells on descriptor 3. */
async function portOfWorkerd(child) {
  for await (const line of createInterface({ input: child.stdio[3] })) {
    const { event, port } = JSON.parse(line);
    if (event === 'listen') return port;
  }
  throw new Error('workerd does not listen');
}

test('it runs in Cloudflare Workers', PATIENCE, async () => {
  const { publicKey } = await wallet();
  await build({
    entryPoints: [join(project, 'worker.mjs')],
    outfile: join(project, 'worker.js'),
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
  });
  const child = spawn(tool('workerd'), ['serve', '--control-fd=3', 'config.capnp'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const exit = once(child, 'exit');
  cleanups.add(() => {
    child.kill();
    return exit;
  });
  const asked = encodeURIComponent(JSON.stringify([world.url, publicKey, nobody]));
  const response = await fetch(`http://127.0.0.1:${await portOfWorkerd(child)}/?with=${asked}`);
  // A worker is not told whether anything was sent.
  assert.deepEqual(await response.json(), { ...SEEN, sent: true });
});
