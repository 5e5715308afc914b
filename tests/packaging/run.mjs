// Runs the packed package in one environment after another and prints a line for each. Any name given is part of one's name.

import { existsSync } from 'node:fs';
import { launchChromium, Server } from '../browser/harness.mjs';
import { tarball } from './folder.mjs';

if (!existsSync(tarball)) throw new Error(`no ${tarball}: run \`make sdk\` first`);

const wanted = process.argv.slice(2);
const modules = [
  'checks',
  'types',
  'page',
  'vite',
  'webpack',
  'esbuild',
  'parcel',
  'next',
  'frameworks',
  'unit-tests',
  'extension',
  'extension-outage',
  'node',
  'deno',
  'bun',
  'workerd',
];
const environments = (await Promise.all(modules.map((name) => import(`./environments/${name}.mjs`)))).flatMap((module) => module.default);
const chosen = environments.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (chosen.length === 0) throw new Error(`no environment is called ${wanted.join(' or ')}`);

const begun = Date.now();
let failed = 0;
const server = await Server.start();
const browser = await launchChromium().catch((error) => server.stop().then(() => Promise.reject(error)));
const world = { server, browser, wallets: `${server.url.replace('http', 'ws')}/ws` };

/** Runs one, and prints its line. */
async function show({ name, test }) {
  const start = Date.now();
  const [verdict, detail] = await test(world).then(
    (said) => ['ok', said],
    (error) => ['FAILED', error.stack + (error.stdout ?? '')],
  );
  if (verdict !== 'ok') failed++;
  const seconds = ((Date.now() - start) / 1_000).toFixed(1);
  console.log(`${name.padEnd(40, ' .')} ${verdict} ${seconds.padStart(5)} s  ${detail}`);
}

try {
  // Those that wait for a minute do it beside the others.
  const waiting = chosen.filter(({ isLong }) => isLong).map(show);
  for (const environment of chosen) if (!environment.isLong) await show(environment);
  await Promise.all(waiting);
} finally {
  await browser.close();
  await server.stop();
}
console.log(`${chosen.length - failed} of ${chosen.length} passed in ${((Date.now() - begun) / 1_000).toFixed(0)} s`);
process.exitCode = failed === 0 ? 0 : 1;
