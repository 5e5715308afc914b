// The libraries in one page of a real Chromium; everything it starts it ends.

import { readFileSync } from 'node:fs';
import { launchChromium } from '../browser/harness.mjs';
import { makeBundles } from './bundles.mjs';
import { LIBRARIES } from './libraries.mjs';
import { makeMaterial } from './material.mjs';
import { serve } from './serve.mjs';

const PAGE = '<!doctype html><link rel="icon" href="data:,"><title>measuring</title>';

/** Calls `use` with a bench that is ready, and ends server and browser afterwards, whatever happened. */
export async function withBench(use) {
  const { scripts, wasm, sizes } = await makeBundles();
  const server = await serve(filesOf(scripts, wasm));
  try {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${server.url}/index.html`);
      const bench = new Bench(page, browser.version(), sizes);
      await bench.call(
        'prepare',
        LIBRARIES.map(({ id }) => id),
        makeMaterial(),
      );
      return await use(bench);
    } finally {
      await browser.close();
    }
  } finally {
    await server.close();
  }
}

class Bench {
  #page;

  constructor(page, browserVersion, sizes) {
    this.#page = page;
    this.browserVersion = browserVersion;
    this.sizes = sizes;
  }

  /** Calls a function of page/measure.mjs. */
  call(name, ...args) {
    return this.#page.evaluate(async ([module, name, args]) => (await import(module))[name](...args), ['/measure.js', name, args]);
  }

  /** Everyone's rates by id, one after the other; each round another one begins. */
  async round(number, milliseconds) {
    const rates = {};
    for (const index of LIBRARIES.keys()) {
      const { id } = LIBRARIES[(index + number) % LIBRARIES.length];
      rates[id] = await this.call('measure', id, milliseconds);
    }
    return rates;
  }
}

function filesOf(scripts, wasm) {
  const files = [
    ['/index.html', PAGE],
    ['/measure.js', readFileSync(new URL('page/measure.mjs', import.meta.url))],
    ...[...wasm].map(([name, bytes]) => [`/${name}`, bytes]),
    ...[...scripts].map(([id, script]) => [`/${id}.js`, script]),
  ];
  return new Map(/** @type {[path: string, body: string | Buffer][]} */ (files));
}
