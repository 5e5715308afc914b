// The description of the API by consuming it: each generator makes a client, its compiler takes it, and a program asks with it.
//
// Needs the packages that `make generator-tests` installs. Everything made is under target/generators.

import assert from 'node:assert/strict';
import { execFile as execute, spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ForeignWallet } from '../foreign/client.mjs';

const execFile = promisify(execute);
const root = fileURLToPath(new URL('../../', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const description = join(root, 'server/src/http/api/openapi.json');
const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
const made = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'generators');
const tools = join(made, 'venv/bin');
const annotations = '/usr/share/java/jakarta-annotation-api.jar';
const newtonsoft = '/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll';
const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const message = Buffer.from('made by a generator');
// RFC 8032 §7.1, test 2: a key for which no wallet is there.
const nobody = 'PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=';

let folder;
let server;
let wallet;
let connected;
let address;
let front;
let jar;

before(async () => {
  jar = await generatorJar();
  folder = await mkdtemp(join(tmpdir(), 'countersign-generators-'));
  server = spawn(binary, ['--listen', '127.0.0.1:0', '--data-dir', join(folder, 'data'), '--log=warn'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  for await (const line of createInterface(server.stdout)) {
    address = line.match(/listening on (http:\S+)/)?.[1];
    if (address) break;
  }
  await new Promise((resolve) => {
    const report = ({ event }) => event === 'connected' && resolve(undefined);
    wallet = new ForeignWallet({ url: `${address.replace('http', 'ws')}/ws`, seed, report });
    connected = wallet.run();
  });
  front = createServer(laterVersion).listen(0, '127.0.0.1');
  await once(front, 'listening');
});

after(async () => {
  front?.close();
  front?.closeAllConnections();
  wallet?.close();
  await connected;
  server?.kill();
  if (server?.exitCode === null) await once(server, 'exit');
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Passes a call on, and answers as a later version may: with members that nobody knows yet. */
async function laterVersion(call, answer) {
  const passed = send(new URL(call.url, address), { method: call.method, headers: { ...call.headers, host: new URL(address).host } });
  call.pipe(passed);
  const [response] = await once(passed, 'response');
  const text = Buffer.concat(await response.toArray()).toString();
  const isJson = /json/.test(response.headers['content-type'] ?? '');
  const body = isJson ? JSON.stringify(JSON.parse(text, (_, value) => grown(value))) : text;
  const { 'content-length': _, 'transfer-encoding': __, ...headers } = response.headers;
  answer.writeHead(response.statusCode, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

const grown = (value) => (value && typeof value === 'object' && !Array.isArray(value) ? { ...value, of_a_later_version: { n: 1 } } : value);

async function generatorJar() {
  const [python = ''] = (await readdir(join(made, 'venv/lib'))).filter((name) => name.startsWith('python'));
  return join(made, 'venv/lib', python, 'site-packages/openapi_generator_cli/openapi-generator.jar');
}

/** Runs a command to its end; what it wrote is shown where it fails. */
async function run(command, args, options = {}) {
  try {
    return await execFile(command, args, { maxBuffer: 1 << 26, ...options });
  } catch (/** @type {any} */ error) {
    throw new Error(`${command} ${args.join(' ').slice(0, 200)}: ${error.code}\n${error.stdout}\n${error.stderr}`.slice(0, 8_000));
  }
}

/** A directory of its own for a generator, empty. */
async function emptied(name) {
  const path = join(made, name);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  return path;
}

async function openapiGenerator(language, out, properties) {
  const args = ['-jar', jar, 'generate', '-i', description, '-g', language, '-o', out];
  await run('java', [...args, ...properties]);
}

/** The files with an ending in a folder and all below it. */
async function files(folder, ending) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.name.endsWith(ending)).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Each makes its client and compiles it, and says how the program is run. */
const generators = {
  'openapi-generator, Go': async () => {
    const client = await emptied('go/client');
    await openapiGenerator('go', client, ['--additional-properties', 'packageName=countersign,withGoMod=false']);
    const program = join(made, 'go/program');
    await cp(join(here, 'programs/go'), program, { recursive: true });
    // Debian's packages of Go are sources without modules.
    const validator = await emptied('go/validator');
    const source = '/usr/share/gocode/src/gopkg.in/validator.v2';
    for (const name of await readdir(source)) {
      if (!name.endsWith('_test.go')) await cp(join(source, name), join(validator, name), { dereference: true });
    }
    await rm(join(client, 'test'), { recursive: true, force: true });
    const module = (name) => `module ${name}\n\ngo 1.19\n`;
    await writeFile(join(validator, 'go.mod'), module('gopkg.in/validator.v2'));
    await writeFile(join(client, 'go.mod'), module('countersign.example/client'));
    await writeFile(join(program, 'go.mod'), module('countersign.example/program'));
    await writeFile(join(made, 'go/go.work'), 'go 1.19\n\nuse (\n\t./client\n\t./program\n\t./validator\n)\n');
    const env = { ...process.env, GOPROXY: 'off', GOFLAGS: '', GOCACHE: join(made, 'go/cache') };
    await run('go', ['vet', 'countersign.example/client', '.'], { cwd: program, env });
    await run('go', ['build', '-o', 'program', '.'], { cwd: program, env });
    return { command: [join(program, 'program')] };
  },
  'openapi-generator, Java': async () => {
    const client = await emptied('java/client');
    const classes = await emptied('java/classes');
    const packages = 'invokerPackage=example.countersign,apiPackage=example.countersign.api,modelPackage=example.countersign.model';
    const properties = `${packages},useJakartaEe=true,openApiNullable=false`;
    await openapiGenerator('java', client, ['--library', 'native', '--additional-properties', properties]);
    const sources = await files(join(client, 'src/main/java'), '.java');
    // The generator has the libraries in itself that its clients use.
    const libraries = `${jar}:${annotations}`;
    const args = ['-nowarn', '-proc:none', '-cp', libraries, '-d', classes, ...sources, join(here, 'programs/java/Main.java')];
    await run('javac', args);
    return { command: ['java', '-cp', `${classes}:${libraries}`, 'Main'] };
  },
  'openapi-generator, C#': async () => {
    const client = await emptied('csharp/client');
    // For Mono, which is the .NET that Debian has. It has no Polly, so nothing repeats calls that failed.
    const properties = 'packageName=Countersign,targetFramework=net48,supportsRetry=false';
    await openapiGenerator('csharp', client, ['--library', 'httpclient', '--additional-properties', properties]);
    const program = join(made, 'csharp/program.exe');
    const sources = [...(await files(join(client, 'src/Countersign'), '.cs')), ...(await files(join(here, 'programs/csharp'), '.cs'))];
    const system = ['Net.Http', 'ComponentModel.DataAnnotations', 'Runtime.Serialization', 'Web'].map((name) => `-r:System.${name}`);
    await run('mcs', ['-langversion:7.2', `-r:${newtonsoft}`, ...system, `-out:${program}`, ...sources]);
    return { command: ['mono', program], env: { MONO_PATH: dirname(newtonsoft) } };
  },
  'openapi-generator, Python': async () => {
    const client = await emptied('python');
    await openapiGenerator('python', client, ['--additional-properties', 'packageName=countersign_generated']);
    await run(join(tools, 'python'), ['-m', 'compileall', '-q', client]);
    return { command: [join(tools, 'python'), join(here, 'programs/python/main.py')], env: { PYTHONPATH: client } };
  },
  'openapi-generator, Rust': async () => {
    const client = await emptied('rust/client');
    await openapiGenerator('rust', client, ['--additional-properties', 'packageName=countersign_generated']);
    const program = join(made, 'rust/program');
    await cp(join(here, 'programs/rust'), program, { recursive: true });
    const env = { ...process.env, CARGO_TARGET_DIR: join(made, 'rust/target'), CARGO_INCREMENTAL: '0' };
    await run('cargo', ['build', '--quiet', '--locked'], { cwd: program, env });
    return { command: [join(made, 'rust/target/debug/program')] };
  },
  'openapi-python-client': async () => {
    const out = await emptied('python-httpx');
    const client = join(out, 'countersign_httpx');
    const env = { ...process.env, PATH: `${tools}:${process.env.PATH}` };
    const args = ['generate', '--path', description, '--output-path', client, '--meta', 'none'];
    const { stdout, stderr } = await run(join(tools, 'openapi-python-client'), args, { env });
    const warnings = [...`${stdout}\n${stderr}`.matchAll(/^WARNING parsing (.*) within/gm)].map(([, operation]) => operation);
    // A receipt as it is, which is no JSON, is what it leaves out.
    assert.deepEqual(warnings, ['GET /v1/requests/{id}/receipt']);
    return { command: [join(tools, 'python'), join(here, 'programs/python-httpx/main.py')], env: { PYTHONPATH: out } };
  },
  'openapi-typescript': async () => {
    const out = await emptied('typescript');
    const bin = (name) => join(here, 'node_modules/.bin', name);
    await cp(join(here, 'programs/typescript'), out, { recursive: true });
    await run(bin('openapi-typescript'), [description, '-o', join(out, 'countersign.ts')]);
    await writeFile(join(out, 'package.json'), '{ "type": "module" }\n');
    await run('ln', ['-sfn', join(here, 'node_modules'), join(out, 'node_modules')]);
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--rewriteRelativeImportExtensions', '--types', 'node'];
    await run(bin('tsc'), [...options, join(out, 'main.ts')], { cwd: out });
    return { command: [process.execPath, join(out, 'main.js')] };
  },
};

/**
 * What the program saw.
 *
 * @param {{ command: string[], env?: Record<string, string> }} program
 * @param {string} url
 */
async function asked({ command: [command = '', ...rest], env = {} }, url) {
  const variables = { COUNTERSIGN_URL: url, KEY: wallet.publicKey.toString('base64'), NOBODY: nobody, MESSAGE: message.toString('base64') };
  const { stdout } = await run(command, rest, { env: { ...process.env, ...env, ...variables } });
  return JSON.parse(stdout);
}

const keyOf = (raw) => createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') } });

async function checkSeen(seen) {
  const key = keyOf(wallet.publicKey);
  for (const signature of [seen.signature, ...seen.batch]) assert.ok(verify(null, message, key, Buffer.from(signature, 'base64')));
  assert.equal(seen.batch.length, 2);
  assert.deepEqual([seen.accepted, seen.state], [202, 'signed']);
  assert.deepEqual([seen.error, seen.errorStatus], ['signer_not_connected', 404]);
  // A time in milliseconds needs more than 32 bits.
  assert.ok(Math.abs(seen.ended_ms - Date.now()) < 600_000, `${seen.ended_ms}`);
  const { keys } = await (await fetch(`${address}/.well-known/jwks.json`)).json();
  const [header, claims, signature] = seen.receipt.split('.');
  const signer = createPublicKey({ format: 'jwk', key: keys[0] });
  assert.ok(verify(null, Buffer.from(`${header}.${claims}`), signer, Buffer.from(signature, 'base64url')));
  assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).jti, seen.request_id);
}

describe('a generated client compiles, and asks for a signature, a batch, a 202, an error and a receipt', () => {
  for (const [name, make] of Object.entries(generators)) {
    test(name, async (t) => {
      const program = await make();
      t.diagnostic('compiles');
      await checkSeen(await asked(program, address));
      t.diagnostic('signature, batch, 202, error, receipt');
      await checkSeen(await asked(program, `http://127.0.0.1:${front.address().port}`));
      t.diagnostic('the same of a version whose answers have more in them');
    });
  }
});
