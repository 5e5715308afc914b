// Measures the SDK beside other libraries and prints the table; with --write it is also put into README.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { withBench } from './bench.mjs';
import { versionOf } from './bundles.mjs';
import { LIBRARIES } from './libraries.mjs';
import { report } from './report.mjs';

const README = new URL('README.md', import.meta.url);
const RECORDED = /(?<=<!-- recorded -->\n).*(?=<!-- end -->)/s;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '11' },
    milliseconds: { type: 'string', default: '300' },
    write: { type: 'boolean', default: false },
  },
});
const number = positive('rounds');
const milliseconds = positive('milliseconds');

const loadBefore = loadavg()[0];
const markdown = await withBench(async (bench) => {
  for (const { id } of LIBRARIES) await bench.call('check', id);
  await bench.round(0, milliseconds);
  const rounds = [];
  while (rounds.length < number) {
    rounds.push(await bench.round(rounds.length, milliseconds));
    console.error(`sdk-bench: round ${rounds.length} of ${number}`);
  }
  const environment = {
    processor: cpus()[0].model,
    cores: cpus().length,
    browserVersion: bench.browserVersion,
    date: new Date().toISOString().slice(0, 10),
    loadBefore,
    loadAfter: loadavg()[0],
    milliseconds,
  };
  return report({ rounds, sizes: bench.sizes, versionOf, environment });
});
console.log(markdown);
if (values.write)
  writeFileSync(
    README,
    readFileSync(README, 'utf8').replace(RECORDED, () => `${markdown}\n`),
  );

function positive(option) {
  const value = Number(values[option]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${option} takes a whole number above 0, not ${values[option]}`);
}
