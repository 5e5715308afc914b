// Prints the table; with --write, records it in README.md. It fails where a library signs or verifies wrongly, never for a figure.

import { build } from 'esbuild';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { bundles, walletConnect } from './bundles.mjs';
import { LIBRARIES } from './libraries/index.mjs';
import { report } from './report.mjs';
import { serve } from './serve.mjs';

const README = new URL('README.md', import.meta.url);
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, ms: { type: 'string', default: '300' }, write: { type: 'boolean' } },
});

const ids = LIBRARIES.map(({ id }) => id);
/** The libraries in an order that starts with another one in each round, so that none always comes first. */
const turned = (round) => [...ids.slice(round % ids.length), ...ids.slice(0, round % ids.length)];

async function measure(page, rounds, ms) {
  const signatures = new Set();
  for (const id of ids) signatures.add(String(await page.evaluate((one) => bench.check(one), id)));
  if (signatures.size !== 1) throw new Error('the libraries do not all make the same signature');
  const measured = [];
  // The first round is for the browser's compilers to warm up and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    const rates = {};
    for (const id of turned(round)) {
      for (const what of ['sign', 'verify']) {
        rates[`${id} ${what}`] = await page.evaluate(([one, op, time]) => bench.rate(one, op, time), [id, what, ms]);
      }
    }
    if (round > 0) measured.push(rates);
  }
  return measured;
}

const folder = mkdtempSync(join(tmpdir(), 'sdk-bench-'));
const loadBefore = loadavg()[0];
let server;
let browser;
try {
  process.chdir(import.meta.dirname);
  const sizes = await bundles(folder);
  await build({ entryPoints: ['measure.js'], outdir: folder, format: 'esm' });
  server = await serve(folder);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.evaluate(async () => { globalThis.bench = await import('/measure.js'); });
  const rounds = await measure(page, Number(values.rounds), Number(values.ms));
  const text = report({ rounds, sizes, walletConnect: await walletConnect(), browser: browser.version(), loadBefore });
  console.log(text);
  if (values.write) {
    const readme = readFileSync(README, 'utf8');
    writeFileSync(README, readme.replace(/(<!-- measured -->\n).*(<!-- end -->)/s, (_, start, end) => `${start}\n${text}\n${end}`));
  }
} finally {
  await browser?.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
}
