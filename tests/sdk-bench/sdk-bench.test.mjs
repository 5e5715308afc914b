// The comparison compares like with like: every library does the same work in the page. What it takes is not looked at.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBench } from './bench.mjs';
import { LIBRARIES, SIZE_ONLY } from './libraries.mjs';

test('every library signs the same, verifies it, and refuses what was altered', { timeout: 180_000 }, (t) =>
  withBench(async (bench) => {
    for (const { id, name } of LIBRARIES) await t.test(name, () => bench.call('check', id));
    await t.test('and is measured', async () => {
      const rates = await bench.round(0, 1);
      for (const { id } of LIBRARIES) assert.ok(rates[id].sign > 0 && rates[id].verify > 0, `${id}: ${JSON.stringify(rates[id])}`);
      for (const { id } of [...LIBRARIES, SIZE_ONLY]) assert.ok(bench.sizes.get(id).total > 0, id);
    });
  }),
);
