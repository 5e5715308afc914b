// All cases in all engines: what a human was shown, and how the backend's request ended.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CASES } from './cases.mjs';
import { ENGINES } from './engines.mjs';
import { Fixture } from './fixture.mjs';
import { SharedBrowser } from './shared-browser.mjs';
import { expected, table } from './table.mjs';

/** @type {import('./table.mjs').Outcomes} */
const outcomes = new Map(ENGINES.map(({ name }) => [name, new Map()]));
/** @type {Map<string, string>} */
const versions = new Map();
after(() => console.log(table(CASES, outcomes, versions)));

for (const engine of ENGINES) {
  describe(engine.name, () => {
    const shared = new SharedBrowser(engine);
    before(async () => versions.set(engine.name, (await shared.running()).version));
    after(() => shared.kill());
    for (const given of CASES) {
      test(given.name, async () => {
        const outcome = await Fixture.run(engine, shared, given.run);
        outcomes.get(engine.name)?.set(given.name, outcome);
        assert.deepEqual(outcome, expected(given, engine.name));
      });
    }
  });
}

describe('the table', () => {
  for (const { name, devices = 1, except = {} } of CASES) {
    const shown = () => ENGINES.map((engine) => ({ engine: engine.name, prompts: outcomes.get(engine.name)?.get(name)?.prompts }));

    test(`${name}: each human is asked at most once`, () => {
      for (const { engine, prompts = [] } of shown()) {
        assert.ok(prompts.filter((kind) => kind === 'new').length <= devices, engine);
      }
    });

    test(`${name}: alike in all engines but those that are named`, () => {
      const alike = shown().filter(({ engine }) => !(engine in except));
      for (const { prompts } of alike) assert.deepEqual(prompts, alike[0].prompts);
      for (const engine of Object.keys(except)) {
        assert.notDeepEqual(shown().find((row) => row.engine === engine)?.prompts, alike[0].prompts, `${engine} is no exception`);
      }
    });
  }
});
