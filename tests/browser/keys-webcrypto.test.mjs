// Keys that the browser holds itself.

import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { publicKeyObject } from './keys.mjs';
import { world as newWorld, profile, reload, signsARequest } from './keys-page.mjs';

const world = newWorld();

profile(world, 'a key is the same at every visit, and comes out by no way', async ({ open }) => {
  const page = await open();
  const first = await page.evaluate(async () => {
    const { WebCryptoKey } = countersign;
    const key = await WebCryptoKey.open();
    const [{ name, storage, publicKey, privateKey }, ...others] = await kept();
    const exports = await Promise.all(
      /** @type {const} */ (['pkcs8', 'jwk', 'raw']).map((format) =>
        crypto.subtle.exportKey(format, privateKey).then(
          () => 'out',
          () => 'refused',
        ),
      ),
    );
    return {
      supported: await WebCryptoKey.supported(),
      key: key.publicKey,
      storage: key.storage,
      name: key.name,
      record: { name, storage, publicKey, extractable: privateKey.extractable, others },
      exports,
      signature: Array.from(await key.sign(new TextEncoder().encode('hello'))),
    };
  });
  const record = { name: 'default', storage: 'webcrypto', publicKey: first.key, extractable: false, others: [] };
  assert.deepEqual(first, {
    ...first,
    supported: true,
    storage: 'webcrypto',
    name: 'default',
    record,
    exports: ['refused', 'refused', 'refused'],
  });
  assert.ok(verify(null, Buffer.from('hello'), publicKeyObject(first.key), Uint8Array.from(first.signature)));
  await reload(page);
  const opened = () => countersign.WebCryptoKey.open().then((key) => key.publicKey);
  assert.equal(await page.evaluate(opened), first.key);
  assert.equal(await (await open()).evaluate(opened), first.key);
});

profile(world, 'the curve is loaded by a page that needs it, and by no other', async ({ open, server }) => {
  const page = await open();
  const loaded = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name.split('/').pop())
        .filter((name) => name?.endsWith('.wasm')),
    );
  await signsARequest(page, server, 'hello');
  assert.deepEqual(await loaded(), ['signer.wasm']);
  await page.evaluate(() => Promise.all([countersign.Key.generate(), countersign.Key.generate()]));
  assert.deepEqual(await loaded(), ['signer.wasm', 'ed25519.wasm']);
});

profile(world, 'a record that names the public key of another key introduces nobody', async ({ open }) => {
  const page = await open();
  const seen = await page.evaluate(async () => {
    const { WebCryptoKey, Wallet } = countersign;
    await WebCryptoKey.open();
    await change('default', { publicKey: (await WebCryptoKey.generate()).publicKey });
    const wallet = new Wallet({ key: await WebCryptoKey.open() });
    const sent = [];
    wallet.on('frame', ({ direction, type }) => direction === 'out' && sent.push(type));
    return [await codeOf(wallet.connect()), sent];
  });
  assert.deepEqual(seen, ['invalid_signature', []]);
});

profile(world, 'tabs that open at once get the same key', async ({ open }) => {
  const pages = await Promise.all([open(), open()]);
  const many = () =>
    Promise.all(Array.from({ length: 5 }, () => countersign.WebCryptoKey.open())).then((keys) =>
      Promise.all(keys.map(async (key) => [key.publicKey, (await key.sign(new Uint8Array(1))).join()])),
    );
  const keys = (await Promise.all(pages.map((page) => page.evaluate(many)))).flat();
  assert.equal(keys.length, 10);
  assert.equal(new Set(keys.map(String)).size, 1);
  assert.equal(await pages[0].evaluate(() => kept().then((records) => records.length)), 1);
});

profile(world, 'names are apart, are taken once, and are free again when their key is deleted', async ({ open }) => {
  const page = await open();
  const seen = await page.evaluate(async () => {
    const { WebCryptoKey, deleteKey } = countersign;
    const [one, other] = [await WebCryptoKey.generate({ name: 'one' }), await WebCryptoKey.open({ name: 'other' })];
    const seen = { apart: one.publicKey !== other.publicKey, taken: await codeOf(WebCryptoKey.generate({ name: 'one' })) };
    seen.still = (await WebCryptoKey.open({ name: 'one' })).publicKey === one.publicKey;
    await one.delete();
    const next = await WebCryptoKey.open({ name: 'one' });
    seen.fresh = next.publicKey !== one.publicKey;
    await one.delete();
    seen.notTheNext = (await WebCryptoKey.open({ name: 'one' })).publicKey === next.publicKey;
    seen.stillSigns = (await one.sign(new Uint8Array(1))).length;
    await deleteKey({ name: 'one' });
    await deleteKey({ name: 'one' });
    await (await WebCryptoKey.generate()).delete();
    seen.left = (await kept()).map(({ name }) => name);
    return seen;
  });
  assert.deepEqual(seen, { apart: true, taken: 'key_exists', still: true, fresh: true, notTheNext: true, stillSigns: 64, left: ['other'] });
});

profile(world, 'what is imported is kept, and does not come out again', async ({ open }) => {
  const page = await open();
  const seen = await page.evaluate(async () => {
    const { Key, WebCryptoKey } = countersign;
    const memory = await Key.generate();
    const { importWebCryptoKey } = await import('./countersign/import.js');
    const imports = {
      seed: (options) => WebCryptoKey.fromSeed(memory.exportSeed(), options),
      pkcs8: (options) => importWebCryptoKey(memory.exportPkcs8(), options),
      jwk: (options) => importWebCryptoKey(memory.exportJwk(), options),
    };
    const seen = [];
    for (const [how, take] of Object.entries(imports)) {
      await take({ name: how });
      const again = await take({ name: how });
      const key = await WebCryptoKey.open({ name: how });
      const same = [again, key].every(({ publicKey }) => publicKey === memory.publicKey);
      seen.push([how, same, String(await key.sign(new Uint8Array(9))) === String(memory.sign(new Uint8Array(9)))]);
    }
    seen.push(await codeOf(WebCryptoKey.fromSeed(new Uint8Array(32), { name: 'jwk' })));
    seen.push((await kept()).map(({ privateKey }) => privateKey.extractable));
    return seen;
  });
  assert.deepEqual(seen, [['seed', true, true], ['pkcs8', true, true], ['jwk', true, true], 'key_exists', [false, false, false]]);
});

profile(world, 'an engine that takes no PKCS#8 of some seeds takes them otherwise', async ({ open }) => {
  const page = await open(() => {
    const original = SubtleCrypto.prototype.importKey;
    // As WebKitGTK 2.50 does where the seed begins with a zero byte.
    SubtleCrypto.prototype.importKey = function (format, data, algorithm, extractable, usages) {
      if (format === 'pkcs8' && new Uint8Array(data)[16] === 0) return Promise.reject(new DOMException('', 'DataError'));
      return original.call(this, format, data, algorithm, extractable, usages);
    };
  });
  const same = await page.evaluate(async () => {
    const { Key, WebCryptoKey } = countersign;
    const seed = new Uint8Array(32).fill(7, 1);
    const [one, other] = [await WebCryptoKey.fromSeed(seed), await Key.fromSeed(seed)];
    return one.publicKey === other.publicKey && String(await one.sign(seed)) === String(other.sign(seed));
  });
  assert.equal(same, true);
});

profile(world, 'what is kept and broken is neither used nor replaced', async ({ open }) => {
  const page = await open();
  const seen = await page.evaluate(async () => {
    const { WebCryptoKey, openKey, deleteKey } = countersign;
    await WebCryptoKey.open();
    const [sound] = await kept();
    const other = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['decrypt']);
    const { publicKey: notPrivate } = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    const broken = [
      { privateKey: undefined },
      { privateKey: {} },
      { privateKey: other },
      { privateKey: notPrivate },
      { publicKey: 'AAAA' },
      { publicKey: undefined },
      { publicKey: 7 },
      { storage: 'elsewhere' },
      { storage: 'sealed' },
    ];
    const codes = new Set();
    for (const changes of broken) {
      await change('default', { ...sound, ...changes });
      for (const open of [WebCryptoKey.open, openKey]) codes.add(await codeOf(open()));
      codes.add(await codeOf(WebCryptoKey.generate({ name: 'default' })));
    }
    const count = (await kept()).length;
    await deleteKey();
    return [[...codes], count, (await WebCryptoKey.open()).publicKey !== sound.publicKey];
  });
  assert.deepEqual(seen, [['invalid_key'], 1, true]);
});

profile(world, 'a browser without IndexedDB says so, and a key of this visit works', async ({ open }) => {
  const page = await open(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('not in this window', 'SecurityError');
    };
  });
  const seen = await page.evaluate(async () => {
    const { WebCryptoKey, openKey, deleteKey } = countersign;
    const codes = await Promise.all([WebCryptoKey.open(), openKey(), deleteKey(), WebCryptoKey.generate({ name: 'x' })].map(codeOf));
    return [...codes, (await (await WebCryptoKey.generate()).sign(new Uint8Array(1))).length];
  });
  const unavailable = 'storage_unavailable';
  assert.deepEqual(seen, [unavailable, unavailable, unavailable, unavailable, 64]);
});
