// packaging/compose: by the specification's schema, by Caddy, Prometheus and the server, and the same nodes started behind the same balancer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Ajv from 'ajv';
import formats from 'ajv-formats';
import { ForeignWallet } from '../foreign/client.mjs';
import { binary, database, documented, documents, environment, found, packaging, root, run, version } from './files.mjs';
import { startServer } from './servers.mjs';

const source = join(packaging, 'compose');
const nodes = ['node-1', 'node-2', 'node-3'];
let folder;
let compose;
let token;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-compose-'));
  // As it is when somebody begins: without secrets.
  await cp(source, folder, { recursive: true, filter: (path) => path !== join(source, 'secrets') });
  [compose] = await documents(join(folder, 'compose.yaml'));
  const made = await run(join(folder, 'secrets.sh'), ['Example Bank'], { env: { ...environment, COUNTERSIGN: binary } });
  token = found(made.stdout, /(cs_\S+)/);
});

after(() => rm(folder, { recursive: true, force: true }));

/** What is said in ${…}, where Compose would read it from its surroundings. */
const filled = (text, host) => String(text).replaceAll(/\$\{COUNTERSIGN_HOST:\?[^}]+\}/g, host);

/** From where, to where, and how. */
const mounts = (service) => (service.volumes ?? []).map((volume) => volume.split(':'));

/** By the schema of the specification, which is a part of a linter's package. */
async function conforms() {
  const schema = JSON.parse(await readFile(new URL('./node_modules/dclint/schemas/compose.schema.json', import.meta.url), 'utf8'));
  const ajv = new Ajv.default({ strict: false, allErrors: true });
  formats.default(ajv, ['uri']);
  // It names its dialect without the # that belongs to it.
  return ajv.compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' });
}

test('it is what the specification calls a Compose file, in which a slip is found', async () => {
  const valid = await conforms();
  assert.ok(valid(compose), JSON.stringify(valid.errors));
  const slips = [
    (file) => (file.services['node-1'].read_onyl = true),
    (file) => (file.services['node-1'].ports = 8080),
    (file) => (file.services['node-1'].healthcheck.every = '10s'),
    (file) => (file.services.caddy.networks.inside.address = '172.30.41.2'),
    (file) => (file.volume = {}),
  ];
  for (const slip of slips) {
    const file = structuredClone(compose);
    slip(file);
    assert.ok(!valid(file), `${slip}`);
  }
});

test('what it names is there, and what is there is named', async () => {
  const used = { volumes: new Set(), networks: new Set(), secrets: new Set() };
  for (const [name, service] of Object.entries(compose.services)) {
    for (const [from] of mounts(service)) {
      if (/^[./]/.test(from)) await access(resolve(source, from));
      else used.volumes.add(from);
    }
    for (const network of Array.isArray(service.networks) ? service.networks : Object.keys(service.networks)) used.networks.add(network);
    for (const secret of service.secrets ?? []) used.secrets.add(secret);
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(compose.services[other].healthcheck, `${name} waits for ${other}`);
  }
  for (const kind of Object.keys(used)) assert.deepEqual([...used[kind]].sort(), Object.keys(compose[kind]).sort(), kind);
  const proxy = compose.services.caddy.networks.inside.ipv4_address;
  for (const node of nodes) {
    const service = compose.services[node];
    assert.deepEqual([service.image, service.pull_policy], [`countersign:${await version()}`, 'never']);
    assert.equal(service.environment.COUNTERSIGN_TRUSTED_PROXY, proxy);
    assert.ok(service.read_only && service.cap_drop.includes('ALL'));
    // A key of its own.
    assert.deepEqual(mounts(service), [[node, '/var/lib/countersign']]);
  }
  // They are in no other file than the one that is named for them.
  for (const file of ['countersign.toml', 'postgres_password', 'grafana_password']) {
    assert.equal(compose.secrets[file].file, `./secrets/${file}`);
    assert.equal((await stat(join(folder, 'secrets', file))).mode & 0o777, 0o644, 'another user reads it in its container');
  }
  assert.equal((await stat(join(folder, 'secrets'))).mode & 0o777, 0o700);
});

test('the image is called by one version everywhere', async () => {
  const files = ['docs/operating/installing.md', 'packaging/compose/secrets.sh', 'packaging/kubernetes/deployment.yaml'];
  for (const file of files) {
    const named = (await readFile(join(root, file), 'utf8')).match(/\bcountersign:\d[\w.-]*/g);
    assert.deepEqual([...new Set(named)], [`countersign:${await version()}`], file);
  }
});

test('secrets that are there stay as they are', async () => {
  const file = join(folder, 'secrets/countersign.toml');
  const before = await readFile(file, 'utf8');
  await assert.rejects(run(join(folder, 'secrets.sh'), ['Another'], { env: { ...environment, COUNTERSIGN: binary } }));
  assert.equal(await readFile(file, 'utf8'), before);
});

test('Prometheus reads its configuration, and asks every node', async () => {
  const place = await mkdtemp(join(folder, 'prometheus-'));
  for (const [from, to] of mounts(compose.services.prometheus)) {
    if (from.startsWith('.')) await copyFile(resolve(source, from), join(place, to.replace('/etc/prometheus/', '')));
  }
  await run('promtool', ['check', 'config', join(place, 'prometheus.yml')], { env: environment });
  const [{ scrape_configs }] = await documents(join(place, 'prometheus.yml'));
  assert.deepEqual(
    scrape_configs[0].static_configs[0].targets,
    nodes.map((node) => `${node}:8080`),
  );
  // The rules and the dashboard go by this name.
  assert.equal(scrape_configs[0].job_name, 'countersign');
});

test('Grafana is told of Prometheus, and where its dashboard lies', async () => {
  const at = Object.fromEntries(mounts(compose.services.grafana).map(([from, to]) => [from, to]));
  const [{ datasources }] = await documents(join(source, 'grafana/datasource.yml'));
  assert.equal(new URL(datasources[0].url).hostname, 'prometheus');
  assert.ok(compose.services.prometheus && datasources[0].isDefault);
  const [{ providers }] = await documents(join(source, 'grafana/dashboard.yml'));
  assert.equal(at['../grafana/countersign.json'], `${providers[0].options.path}/countersign.json`);
  for (const kind of ['datasource', 'dashboard']) {
    assert.equal(at[`./grafana/${kind}.yml`], `/etc/grafana/provisioning/${kind}s/countersign.yml`);
  }
});

/** The balancer's configuration, with its host and its nodes at these addresses. */
async function caddyfile(host, addresses) {
  const text = await readFile(join(source, 'Caddyfile'), 'utf8');
  const named = nodes.map((node) => `${node}:8080`).join(' ');
  const own = text.slice(text.indexOf('{$'));
  const page = (await documented('docs/cluster.md', 'caddyfile')).replace('10.0.0.11:8080 10.0.0.12:8080 10.0.0.13:8080', named);
  assert.equal(own.replace('{$COUNTERSIGN_HOST}', 'sign.example.com'), page, 'the documented balancer');
  return own.replace('{$COUNTERSIGN_HOST} {', `http://${host} {\n\tbind ${ownAddress()}`).replace(named, addresses.join(' '));
}

/** Where nobody else listens: Caddy does not say which port the system chose for it, so it has a loopback address of this process alone. */
const ownAddress = () => ['127', 0x80 | ((process.pid >> 16) & 0x7f), (process.pid >> 8) & 0xff, process.pid & 0xff].join('.');

/** What ends a wallet, and waits until it has. */
const ended = (running, wallet) => async () => {
  wallet.close();
  await running;
};

/** Until it holds; a hung test ends by its own time. */
async function eventually(holds) {
  while (!(await holds())) await sleep(20);
}

test('Caddy takes the file as it is', async () => {
  const env = { ...environment, COUNTERSIGN_HOST: 'sign.example.com', HOME: folder };
  await run('caddy', ['validate', '--adapter', 'caddyfile', '--config', join(source, 'Caddyfile')], { env });
  await assert.rejects(run('caddy', ['validate', '--adapter', 'caddyfile', '--config', join(source, 'compose.yaml')], { env }));
});

test('its nodes, with their settings, behind its balancer, give a signature, also when one is gone', { timeout: 120_000 }, async () => {
  const host = `${ownAddress()}:20000`;
  const toml = join(folder, 'settings.toml');
  const secret = await readFile(join(folder, 'secrets/countersign.toml'), 'utf8');
  const password = await readFile(join(folder, 'secrets/postgres_password'), 'utf8');
  const url = `postgres://countersign:${password}@postgres/countersign?sslmode=disable`;
  assert.ok(secret.includes(url));
  await writeFile(toml, secret.replace(url, database()));
  await chmod(toml, 0o600);
  const cleanups = [];
  try {
    const servers = [];
    for (const node of nodes) {
      const service = compose.services[node];
      const settings = Object.fromEntries(Object.entries(service.environment).map(([name, value]) => [name, filled(value, host)]));
      settings.COUNTERSIGN_AUDIENCE = settings.COUNTERSIGN_AUDIENCE.replace('wss:', 'ws:');
      settings.COUNTERSIGN_TRUSTED_PROXY = '127.0.0.1';
      settings.COUNTERSIGN_SERVER_KEY = settings.COUNTERSIGN_SERVER_KEY.replace('/var/lib/countersign', join(folder, node));
      await mkdir(join(folder, node));
      const command = service.command.map((word) => (word === '/run/secrets/countersign.toml' ? toml : word));
      const server = await startServer({ command, environment: settings });
      cleanups.push(server.kill);
      servers.push(server);
      // The healthcheck, with the address that it finds by itself in the container.
      const [kind, program, ...words] = service.healthcheck.test;
      assert.deepEqual([kind, program], ['CMD', '/usr/bin/countersign']);
      await run(binary, words, { env: { ...settings, COUNTERSIGN_LISTEN: server.address.replace('127.0.0.1', '0.0.0.0') } });
    }
    await writeFile(
      join(folder, 'Caddyfile.here'),
      `{\n\tadmin off\n}\n${await caddyfile(
        host,
        servers.map(({ address }) => address),
      )}`,
    );
    const caddy = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile.here')], {
      env: { ...environment, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
      stdio: 'ignore',
    });
    cleanups.push(async () => {
      caddy.kill('SIGKILL');
      await once(caddy, 'exit');
    });
    // /healthz is not for the public: who gets an answer there got the balancer's.
    const answers = async (path) => (await fetch(`http://${host}${path}`).catch(() => undefined))?.status;
    await eventually(async () => (await answers('/.well-known/jwks.json')) === 200);
    assert.equal(await answers('/metrics'), 404);

    const balancer = `http://${host}`;
    const seed = randomBytes(32);
    const wallet = new ForeignWallet({ url: `ws://${host}/ws`, seed });
    const key = wallet.publicKey.toString('base64');
    cleanups.push(ended(wallet.run(), wallet));
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const ask = async (at, more = {}) => {
      const body = JSON.stringify({ public_key: key, message: 'aGVsbG8=', queue: true });
      const answer = await fetch(`${at}/v1/send_to_sign`, { method: 'POST', headers: { ...headers, ...more }, body });
      return { status: answer.status, node: answer.headers.get('countersign-node'), text: await answer.text() };
    };
    // They are one: each has the wallet.
    const answered = await Promise.all([balancer, ...servers.map(({ address }) => `http://${address}`)].map((at) => ask(at)));
    assert.deepEqual(
      answered.map(({ status }) => status),
      [200, 200, 200, 200],
      answered.map(({ text }) => text).join('\n'),
    );
    assert.equal(new Set(answered.map(({ node }) => node)).size, 3);
    assert.equal((await ask(balancer, { authorization: 'Bearer cs_unknown' })).status, 401);
    assert.equal(await servers[0].stop(), 0);
    await assert.rejects(run(binary, ['health', `http://${servers[0].address}/healthz`], { env: {} }));
    const later = new ForeignWallet({ url: `ws://${host}/ws`, seed });
    cleanups.push(ended(later.run(), later));
    assert.equal((await ask(balancer)).status, 200);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
});
