import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { build } from 'esbuild';
import { folder, tool } from '../folder.mjs';
import { PATIENCE_MS, signs } from '../signing.mjs';

const BINARIES = ['signer.wasm', 'ed25519.wasm'];

/** As wrangler does: scripts become one, a .wasm is a module beside it. */
async function bundle(path) {
  const conditions = ['workerd', 'worker', 'browser'];
  /** @type {import('esbuild').BuildOptions} */
  const options = { bundle: true, format: 'esm', conditions, external: BINARIES.map((file) => `./${file}`), logLevel: 'silent' };
  await build({ ...options, entryPoints: [join(path, 'main.js')], outdir: join(path, 'built') });
  for (const file of BINARIES) await copyFile(join(path, 'node_modules/countersign/dist', file), join(path, 'built', file));
}

/** The port that a starting workerd tells on descriptor 3. */
async function portOf(child) {
  for await (const line of createInterface({ input: child.stdio[3] })) {
    const { event, port } = JSON.parse(line);
    if (event === 'listen') return port;
  }
  throw new Error('workerd does not listen');
}

export default [
  {
    name: 'workerd',
    async test({ server, wallets }) {
      const path = await folder('workerd', 'workerd', { npm: ['--omit=optional'] });
      await bundle(path);
      const child = spawn(tool('workerd'), ['serve', '--control-fd=3', 'config.capnp'], {
        cwd: path,
        stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      });
      const exit = once(child, 'exit');
      try {
        const url = `http://127.0.0.1:${await portOf(child)}/?server=${encodeURIComponent(wallets)}`;
        const { body } = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
        const lines = createInterface({ input: Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (body)) })[
          Symbol.asyncIterator
        ]();
        return await signs(server, async () => JSON.parse((await lines.next()).value), /^Cloudflare Workers$/);
      } finally {
        child.kill();
        await exit;
      }
    },
  },
];
