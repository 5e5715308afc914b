// What the picture of the dashboard shows: three servers on one PostgreSQL, 24 wallets and two requesters for some minutes, and a Prometheus beside them,
// whose answers are drawn in the end. Of everything a little: answers after seconds and none at all, mistakes, webhooks, requests that wait for wallets,
// and a wallet that comes and goes.
//
// target/debug/with_postgres node tests/observing/busy.mjs 15 dashboard.html
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ForeignWallet } from '../foreign/client.mjs';
import { WebSocketClient } from '../foreign/websocket.mjs';

const [minutes = '15', target = 'dashboard.html'] = process.argv.slice(2);
const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env.COUNTERSIGN_BIN ?? join(root, 'target/debug/countersign');
const prefix = process.env.COUNTERSIGN_TEST_POSTGRES;
if (!prefix) throw new Error('no COUNTERSIGN_TEST_POSTGRES: run it by target/debug/with_postgres');
const folder = mkdtempSync(join(tmpdir(), 'countersign-busy-'));
/** @type {import('node:child_process').ChildProcess[]} */
const children = [];
let done = false;

/**
 * Starts a program, and gives the address where it says that it listens.
 *
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<string>}
 */
async function listening(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (text) => {
        const [, address] = text.match(/listening on http:\/\/(\S+)/) ?? text.match(/Listening on" address=(\S+)/) ?? [];
        if (address) resolve(address);
      });
    }
  });
}

// Humans take a while, and leave one question in sixty.
const send = WebSocketClient.prototype.send;
WebSocketClient.prototype.send = function (text) {
  if (!text.includes('"sign_response"')) return send.call(this, text);
  if (Math.random() > 1 / 60) setTimeout(() => send.call(this, text), 100 + 2_000 * Math.random() ** 2);
};

/** @param {string} address @param {Buffer} seed */
function connected(address, seed) {
  const wallet = new ForeignWallet({ url: `ws://${address}/ws`, seed });
  wallet.run().catch(() => {});
  return wallet;
}

const hooks = createServer((call, answer) => {
  call.resume();
  answer.writeHead(Math.random() > 1 / 30 ? 204 : 500).end();
}).listen(0, '127.0.0.1');
await once(hooks, 'listening');
const hook = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (hooks.address()).port}/`;

try {
  const tokens = ['bank', 'shop'].map((id) => ({ id, token: `cs_${randomBytes(32).toString('hex')}` }));
  const tables = tokens.map(
    ({ id, token }) => `[[token]]\nid = "${id}"\nname = "${id}"\nsha256 = "${createHash('sha256').update(token).digest('hex')}"\n`,
  );
  writeFileSync(join(folder, 'countersign.toml'), tables.join('\n'));
  const settings = ['--config', join(folder, 'countersign.toml'), '--database-url', `${prefix}postgres`, '--webhook-target', hook];
  const servers = [];
  for (let n = 0; n < 3; n++) servers.push(await listening(binary, ['--listen', '127.0.0.1:0', '--log=warn', ...settings]));
  cpSync(join(root, 'packaging/prometheus/countersign.rules.yml'), join(folder, 'countersign.rules.yml'));
  writeFileSync(
    join(folder, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '2s' },
      rule_files: ['countersign.rules.yml'],
      scrape_configs: [{ job_name: 'countersign', static_configs: [{ targets: servers }] }],
    }),
  );
  const prometheus = await listening('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
  ]);

  const seeds = Array.from({ length: 24 }, () => randomBytes(32));
  const wallets = seeds.map((seed, n) => connected(/** @type {string} */ (servers[n % 3]), seed));
  const message = Buffer.from('Pay 25 EUR to Alice').toString('base64');

  /** Asks one after the other, of any server for any wallet. @param {string} token @param {number} rest in milliseconds */
  const asking = async (token, rest) => {
    while (!done) {
      const public_key = wallets[Math.floor(Math.random() * wallets.length)]?.publicKey.toString('base64');
      const chance = Math.random();
      const more = chance < 0.3 ? { webhook: hook } : chance < 0.5 ? { queue: true } : {};
      const body = { public_key, message: chance > 0.95 ? 'no base64' : message, timeout_ms: 20_000, ...more };
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
      const url = `http://${servers[Math.floor(Math.random() * 3)]}/v1/send_to_sign`;
      await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }).then((answer) => answer.text(), console.error);
      await pause(2 * rest * Math.random());
    }
  };
  const comingAndGoing = async () => {
    while (!done) {
      wallets[0]?.close();
      await pause(5_000 + 20_000 * Math.random());
      wallets[0] = connected(/** @type {string} */ (servers[Math.floor(Math.random() * 3)]), /** @type {Buffer} */ (seeds[0]));
      await pause(20_000 * Math.random());
    }
  };
  const [bank, shop] = tokens.map(({ token }) => token);
  const busy = [comingAndGoing()];
  for (let n = 0; n < 6; n++) busy.push(asking(`${bank}`, 400));
  for (let n = 0; n < 3; n++) busy.push(asking(`${shop}`, 600));
  await pause(Number(minutes) * 60_000);
  const drawing = fileURLToPath(new URL('dashboard.mjs', import.meta.url));
  await promisify(execFile)(process.execPath, [drawing, `http://${prometheus}`, minutes, target]);
  done = true;
  await Promise.all(busy);
  for (const wallet of wallets) wallet.close();
} finally {
  for (const child of children) child.kill();
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
  hooks.close();
  hooks.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}
