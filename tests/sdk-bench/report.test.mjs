// The report says what was measured, also where that is nothing to be proud of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, LIBRARIES, SIZE_ONLY } from './libraries.mjs';
import { median, report } from './report.mjs';

const environment = {
  processor: 'A processor',
  cores: 2,
  browserVersion: '1.2',
  date: '2030-01-02',
  loadBefore: 0.5,
  loadAfter: 1,
  milliseconds: 300,
};
const sizes = new Map([...LIBRARIES, SIZE_ONLY].map(({ id }) => [id, { total: 1_234 }]));

const written = (rounds) => report({ rounds, sizes, versionOf: () => '9.9.9', environment });
const others = (rate) => Object.fromEntries(LIBRARIES.map(({ id }) => [id, { sign: rate, verify: rate }]));

test('the median is the middle one', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 9, 2, 1]), 5.5);
});

test('a ratio is the median of ratios within rounds, not of what different rounds measured', () => {
  const round = (rate, own) => ({ ...others(rate), [KEY.id]: { sign: own, verify: own } });
  const row = written([round(10, 100), round(1_000, 2_000), round(30, 60)])
    .split('\n')
    .find((line) => line.includes('tweetnacl'));
  assert.equal(row, '| tweetnacl | 9.9.9 | 30 | 0.50 | 30 | 0.50 | 1,234 |');
});

test('the conclusion names each library that signs as fast or faster', () => {
  const rates = { ...others(100), [KEY.id]: { sign: 200, verify: 200 } };
  assert.match(written([rates]), /^Signing is faster than with @noble\/ed25519 and with tweetnacl in this run/m);
  const beaten = { ...rates, tweetnacl: { sign: 400, verify: 1 } };
  assert.match(
    written([beaten]),
    /^Signing is \*\*not\*\* faster than with tweetnacl in this run: .* 0\.50 times as fast as tweetnacl\.$/m,
  );
  assert.match(written([others(100)]), /not\*\* faster than with @noble\/ed25519, async .* and @noble\/ed25519, sync .* and tweetnacl in/);
});
