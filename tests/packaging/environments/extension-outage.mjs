import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHROMIUM, CHROMIUM_FLAGS, Server } from '../../browser/harness.mjs';
import { verifies } from '../../browser/keys.mjs';
import { folder } from '../folder.mjs';
import { portOf } from '../port.mjs';
import { flags } from './extension.mjs';

const OUTAGE_MS = 60_000;

/** What the extension says, in order. */
async function reports() {
  const said = [];
  let heard = () => {};
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    said.push(JSON.parse(body));
    heard();
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${portOf(server)}/`,
    said,
    async until(accept) {
      const deadline = AbortSignal.timeout(60_000);
      while (!said.some(accept)) {
        await new Promise((resolve, reject) => {
          heard = () => resolve(undefined);
          deadline.onabort = () => reject(new Error(`the extension says only ${JSON.stringify(said)}`));
        });
      }
      return said.find(accept);
    },
    stop: () => server.closeAllConnections() ?? server.close(),
  };
}

async function signsFor(server, publicKey, text) {
  await server.untilConnections(publicKey, 1);
  const { status, body } = await server.sendToSign({ public_key: publicKey, message: Buffer.from(text).toString('base64') });
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(verifies(body, text));
}

export default [
  {
    name: 'Manifest V3, a minute without server',
    // It waits, and leaves the machine to the others.
    isLong: true,
    async test() {
      const path = await folder('extension-outage', 'extension-outage');
      const profile = await mkdtemp(join(tmpdir(), 'countersign-'));
      let server = await Server.start();
      const heard = await reports();
      const wallets = `${server.url.replace('http', 'ws')}/ws`;
      await writeFile(join(path, 'addresses.js'), `export const WALLETS = '${wallets}';\nexport const REPORTS = '${heard.url}';\n`);
      const chromium = spawn(CHROMIUM, [...CHROMIUM_FLAGS, ...flags(path), `--user-data-dir=${profile}`, 'about:blank'], {
        stdio: 'ignore',
      });
      const exit = once(chromium, 'exit');
      try {
        const { publicKey } = await heard.until((word) => 'publicKey' in word);
        await signsFor(server, publicKey, 'before');
        await server.stop();
        heard.said.length = 0;
        // The outage itself, not a wait for anything.
        await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
        const starts = heard.said.length;
        server = await Server.start({ port: server.port });
        const begun = Date.now();
        const after = await heard.until((word) => 'publicKey' in word);
        assert.equal(after.publicKey, publicKey, 'another key');
        await signsFor(server, publicKey, 'after');
        return `its worker started ${starts} times meanwhile; it signs ${((Date.now() - begun) / 1_000).toFixed(0)} s after the server is back`;
      } finally {
        chromium.kill();
        await exit;
        heard.stop();
        await server.stop();
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      }
    },
  },
];
