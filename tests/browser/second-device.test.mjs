// From one device to another by the code on the page.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import UPNG from 'upng-js';
import decodeQR from '../../web-demo/node_modules/qr/decode.js';
import { deviceWarning } from '../../web-demo/src/js/device-warning.js';
import { launchChromium, world as newWorld, Server } from './harness.mjs';
import { openTab, scenario } from './visit.mjs';

const world = newWorld();
const NAME = 'laptop.local';

const section = (tab) => tab.page.locator('#second-device');

/** A port that was free a moment ago: the audience has to name it before the server listens. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('where another device cannot come the page says why', () => {
  for (const hostname of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'demo.localhost'])
    assert.match(deviceWarning({ protocol: 'https:', hostname }) ?? '', /means this machine to every device/, hostname);
  for (const hostname of ['192.168.1.20', 'laptop.local', '127.example.com'])
    assert.match(deviceWarning({ protocol: 'http:', hostname }) ?? '', /only over https/, hostname);
  assert.equal(deviceWarning({ protocol: 'https:', hostname: 'laptop.local' }), undefined);
});

scenario(world, 'on a loopback address there is no code, but how to get one', async ({ tab }) => {
  await section(tab).getByText('A second device').click();
  await section(tab).getByText('This page was opened as 127.0.0.1').waitFor();
  await tab.wallet.sees('Start the server for your network');
  assert.equal(await section(tab).getByRole('img').count(), 0);
});

test('started as the page says, the code leads a second wallet here, and it asks this one', { timeout: 180_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const { page } = await openTab(await world.newContext(), world.server.url);
  const [certificate, , ...start] = ((await page.locator('#device-commands').textContent()) ?? '').trim().split('\n');
  execFileSync('sh', ['-c', certificate], { cwd: folder, stdio: 'ignore' });
  const { token, entry } = newToken();
  writeFileSync(join(folder, 'config.toml'), entry);

  const port = await freePort();
  const given = start.join(' ').replaceAll('\\', ' ').replace('8443/ws', `${port}/ws`).split(/\s+/);
  /** @type {(flag: string) => string} */
  const value = (flag) => given[given.indexOf(flag) + 1];
  const args = [
    ...['--config', '--tls-cert', '--tls-key'].flatMap((flag) => [flag, join(folder, value(flag))]),
    ...['--audience', value('--audience')],
  ];
  const server = await Server.start({ port, args });
  // As the name service of a home network does.
  const browser = await launchChromium(`--host-resolver-rules=MAP ${NAME} 127.0.0.1`);
  try {
    const device = () => browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
    const first = await openTab(await device(), `https://${NAME}:${port}/`);
    await section(first).getByText('A second device').click();
    const code = section(first).getByRole('img', { name: 'QR code of the address below' });

    await code.locator('svg').waitFor();
    const png = UPNG.decode(await code.screenshot());
    const address = decodeQR({ width: png.width, height: png.height, data: new Uint8Array(UPNG.toRGBA8(png)[0]) });
    assert.equal(address, await section(first).locator('#device-address').textContent());

    const second = await openTab(await device(), address);
    const own = (await second.page.locator('#public-key').textContent())?.trim();
    assert.notEqual(own, await first.publicKey(), 'a key of its own');
    assert.equal(await second.publicKey(), await first.publicKey(), 'and the first one is whom it asks');
    await second.ask({ message: 'from the telephone' });
    await second.backend.field('Bearer token').fill(token);
    await second.ask({ message: 'from the telephone' });
    await first.wallet.sees('from the telephone');
    await first.approve();
    await second.backend.sees('Signature verified');
    assert.equal(await second.page.locator('.request').count(), 0, 'the second wallet was not asked');
  } finally {
    await browser.close();
    await server.stop('SIGKILL');
  }
});

/** As the second of the commands gives it. */
function newToken() {
  const told = execFileSync(process.env.COUNTERSIGN_BIN ?? 'target/debug/countersign', ['token', 'Second device'], {
    cwd: new URL('../../', import.meta.url),
    encoding: 'utf8',
  });
  const [, token = ''] = told.match(/^ {2}(cs_\w+)$/m) ?? [];
  return { token, entry: told.slice(told.indexOf('[[token]]')) };
}
