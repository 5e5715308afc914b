// A page with nothing on it but the package, for what keys do in a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barePage } from './bare-page.mjs';
import { world as newWorld } from './harness.mjs';
import { verifies } from './keys.mjs';

/** The world of a file's tests, with this page. */
export const world = () => newWorld({ webRoot: barePage() });

/** A browser without Ed25519, as they were until 2023 to 2025: to be called before the package is loaded. */
export function withoutEd25519() {
  for (const name of ['generateKey', 'importKey']) {
    const original = SubtleCrypto.prototype[name];
    SubtleCrypto.prototype[name] = function (...args) {
      const algorithm = args[name === 'generateKey' ? 0 : 2];
      if ((algorithm.name ?? algorithm) === 'Ed25519') return Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'));
      return original.apply(this, args);
    };
  }
}

/** A fresh browser profile; `open(prepare)` loads the page in a new tab of it. */
export function profile(world, name, body) {
  test(name, async () => {
    const context = await world.newContext();
    const open = async (prepare) => {
      const page = await context.newPage();
      if (prepare) await page.addInitScript(prepare);
      await page.goto(world.server.url);
      await load(page);
      return page;
    };
    await body({ open, server: world.server });
  });
}

/** As a person presses reload: whatever the page held in memory is gone. */
export async function reload(page) {
  await page.reload();
  await load(page);
}

/** Loads the package, and a few things the tests say often. */
async function load(page) {
  await page.evaluate(async () => {
    window.countersign = await import('./countersign/browser.js');
    window.codeOf = (promise) =>
      promise.then(
        () => 'none',
        (error) => error.code ?? String(error),
      );
    /** @returns {Promise<IDBDatabase>} */
    const database = () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('countersign-keys');
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    window.inKeys = async (mode, use) => {
      const opened = await database();
      try {
        const transaction = opened.transaction('keys', mode);
        const request = use(transaction.objectStore('keys'));
        await new Promise((resolve) => {
          transaction.oncomplete = resolve;
        });
        return request.result;
      } finally {
        opened.close();
      }
    };
    window.kept = () => inKeys('readonly', (keys) => keys.getAll());
    window.change = async (name, changes) => {
      const record = await inKeys('readonly', (keys) => keys.get(name));
      await inKeys('readwrite', (keys) => keys.put({ ...record, ...changes }));
    };
  });
}

/** Has `openKey()`'s key sign a request of the real server, from the introduction to the verified answer. */
export async function signsARequest(page, server, text) {
  const publicKey = await page.evaluate(async () => {
    const { openKey, Wallet } = window.countersign;
    window.wallet = new Wallet({ key: await openKey() });
    wallet.on('request', (request) => request.approve());
    await wallet.connect();
    return wallet.publicKey;
  });
  const { status, body } = await server.sendToSign({ public_key: publicKey, message: Buffer.from(text).toString('base64') });
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(verifies(body, text));
  await server.untilIdle();
  await page.evaluate(() => window.wallet.close());
  return publicKey;
}
