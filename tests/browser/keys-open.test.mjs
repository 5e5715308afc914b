// The key most pages have: of the browser's own Ed25519, or sealed where it has none.

import assert from 'node:assert/strict';
import { world as newWorld, profile, reload, signsARequest, withoutEd25519 } from './keys-page.mjs';

const world = newWorld();
const storage = () => countersign.openKey().then((key) => key.storage);

profile(world, "the browser's own key signs requests of the server, before and after a reload", async ({ open, server }) => {
  const page = await open();
  assert.equal(await page.evaluate(storage), 'webcrypto');
  const key = await signsARequest(page, server, 'first visit');
  await reload(page);
  assert.equal(await signsARequest(page, server, 'second visit'), key);
});

profile(world, 'a sealed key signs requests of the server, before and after a reload', async ({ open, server }) => {
  const page = await open(withoutEd25519);
  assert.equal(await page.evaluate(() => countersign.WebCryptoKey.supported()), false);
  assert.equal(await page.evaluate(() => codeOf(countersign.WebCryptoKey.open())), 'no_webcrypto');
  assert.equal(await page.evaluate(() => codeOf(countersign.WebCryptoKey.fromSeed(new Uint8Array(32)))), 'no_webcrypto');
  assert.equal(await page.evaluate(storage), 'sealed');
  const key = await signsARequest(page, server, 'first visit');
  await reload(page);
  assert.equal(await page.evaluate(storage), 'sealed');
  assert.equal(await signsARequest(page, server, 'second visit'), key);
});

profile(world, 'what is kept of a sealed key is not the seed', async ({ open }) => {
  const page = await open(withoutEd25519);
  const seen = await page.evaluate(async () => {
    const key = await countersign.openKey();
    if (!('exportSeed' in key)) throw new Error('the browser itself holds it');
    const seed = String(key.exportSeed());
    const [record] = await kept();
    const bytes = [record.iv, new Uint8Array(record.sealed)].map(String);
    return {
      members: Object.keys(record).sort(),
      extractable: record.sealingKey.extractable,
      length: record.sealed.byteLength,
      exported: await crypto.subtle.exportKey('raw', record.sealingKey).then(
        () => 'out',
        () => 'refused',
      ),
      hasSeed: bytes.some((text) => text.includes(seed.slice(0, 20))),
    };
  });
  const members = ['iv', 'name', 'publicKey', 'sealed', 'sealingKey', 'storage'];
  assert.deepEqual(seen, { members, extractable: false, length: 48, exported: 'refused', hasSeed: false });
});

profile(world, 'a key stays what it is, whatever the browser learns or forgets', async ({ open }) => {
  const [old, current] = [await open(withoutEd25519), await open()];
  const opened = (name) => countersign.openKey({ name }).then((key) => [key.storage, key.publicKey]);
  const sealed = await old.evaluate(opened, 'made before');
  const native = await current.evaluate(opened, 'made after');
  assert.deepEqual([sealed[0], native[0]], ['sealed', 'webcrypto']);
  assert.deepEqual(await current.evaluate(opened, 'made before'), sealed);
  assert.deepEqual(await old.evaluate(opened, 'made after'), native);
  const refused = await current.evaluate(() =>
    countersign.WebCryptoKey.open({ name: 'made before' }).catch(({ code, message }) => [code, message]),
  );
  assert.equal(refused[0], 'invalid_key');
  assert.match(refused[1], /kept sealed: open it with openKey/);
});

profile(world, 'tabs that open at once get the same key, even if they would make different ones', async ({ open }) => {
  const pages = await Promise.all([open(withoutEd25519), open(withoutEd25519), open()]);
  const many = () =>
    Promise.all(Array.from({ length: 4 }, () => countersign.openKey())).then((keys) =>
      Promise.all(keys.map(async (key) => [key.publicKey, key.storage, (await key.sign(new Uint8Array(1))).join()])),
    );
  const keys = (await Promise.all(pages.map((page) => page.evaluate(many)))).flat();
  assert.equal(keys.length, 12);
  assert.equal(new Set(keys.map(String)).size, 1);
  assert.equal(await pages[0].evaluate(() => kept().then((records) => records.length)), 1);
});

profile(world, 'a sealed key that was altered is neither used nor replaced', async ({ open }) => {
  const page = await open(withoutEd25519);
  const seen = await page.evaluate(async () => {
    const { openKey, deleteKey } = countersign;
    await openKey();
    await openKey({ name: 'other' });
    const [sound, other] = await kept();
    const flipped = Uint8Array.from(new Uint8Array(sound.sealed), (byte, at) => (at === 5 ? byte ^ 1 : byte)).buffer;
    const wrong = [
      { sealed: flipped },
      { sealed: sound.sealed.slice(1) },
      { sealed: undefined },
      { iv: new Uint8Array(12) },
      { iv: 'iv' },
      { sealingKey: other.sealingKey },
      { sealingKey: undefined },
      { publicKey: other.publicKey },
    ];
    const codes = new Set();
    for (const changes of wrong) {
      await change('default', { ...sound, ...changes });
      codes.add(await codeOf(openKey()));
    }
    await change('default', sound);
    const back = (await openKey()).publicKey === sound.publicKey;
    await deleteKey();
    return [[...codes], back, (await kept()).map(({ name }) => name)];
  });
  assert.deepEqual(seen, [['invalid_key'], true, ['other']]);
});

profile(world, 'a page that may not use WebCrypto says why', async ({ open }) => {
  const page = await open(() => {
    Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined });
  });
  const message = await page.evaluate(() => countersign.openKey().catch(({ code, message }) => `${code}: ${message}`));
  assert.match(message, /^no_webcrypto: .*https:/);
});

profile(world, 'whoever opens a key learns whether it is new', async ({ open }) => {
  const page = await open();
  const seen = await page.evaluate(async () => {
    const { openKey, deleteKey } = countersign;
    const created = async () => (await openKey()).created;
    const at = [await created(), await created()];
    // As browsers do by themselves after a while without a visit.
    await deleteKey();
    const both = await Promise.all([created(), created()]);
    return [...at, both.filter(Boolean).length];
  });
  assert.deepEqual(seen, [true, false, 1]);
});

profile(world, 'a browser that never opens its IndexedDB is not waited for', async ({ open }) => {
  const page = await open(() => {
    IDBFactory.prototype.open = () => /** @type {IDBOpenDBRequest} */ (new EventTarget());
  });
  await page.clock.install();
  const opening = page.evaluate(() => countersign.openKey().catch(({ code, message }) => `${code}: ${message}`));
  await page.clock.runFor(5_000);
  assert.match(String(await opening), /^storage_unavailable: .*no answer within 5000 ms/);
});

profile(world, 'an engine that fails now and then is asked again', async ({ open }) => {
  const page = await open(() => {
    for (const name of ['generateKey', 'exportKey', 'sign']) {
      const original = SubtleCrypto.prototype[name];
      let calls = 0;
      SubtleCrypto.prototype[name] = function (...args) {
        calls += 1;
        return calls % 3 === 0 ? original.apply(this, args) : Promise.reject(new DOMException('', 'OperationError'));
      };
    }
  });
  assert.equal(await page.evaluate(storage), 'webcrypto');
  assert.equal(await page.evaluate(async () => (await (await countersign.openKey()).sign(new Uint8Array(1))).length), 64);
});

profile(world, 'where the key of the browser itself cannot be stored, or comes back as nothing, it is sealed', async ({ open }) => {
  const breaks = [
    () => {
      const add = IDBObjectStore.prototype.add;
      IDBObjectStore.prototype.add = function (record) {
        if (record.storage === 'webcrypto') throw new DOMException('no such thing', 'DataCloneError');
        return add.call(this, record);
      };
    },
    () => {
      const add = IDBObjectStore.prototype.add;
      IDBObjectStore.prototype.add = function (record) {
        return add.call(this, record.storage === 'webcrypto' ? { ...record, privateKey: null } : record);
      };
    },
  ];
  for (const [at, prepare] of breaks.entries()) {
    const page = await open(prepare);
    const seen = await page.evaluate(async (name) => {
      const key = await countersign.openKey({ name });
      const names = (await kept()).filter((record) => record.name.startsWith('probe')).length;
      return [key.storage, (await countersign.openKey({ name })).publicKey === key.publicKey, names];
    }, String(at));
    assert.deepEqual(seen, ['sealed', true, 0]);
  }
});

profile(world, 'a record that reads back as null is a broken key', async ({ open }) => {
  const page = await open();
  const code = await page.evaluate(async () => {
    await countersign.openKey();
    const get = IDBObjectStore.prototype.get;
    IDBObjectStore.prototype.get = function (key) {
      const request = get.call(this, key);
      Object.defineProperty(request, 'result', { value: null });
      return request;
    };
    return codeOf(countersign.openKey());
  });
  assert.equal(code, 'invalid_key');
});

profile(world, 'a connection to the database that died without a word is replaced', async ({ open }) => {
  const page = await open(() => {
    const databases = [];
    const opened = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (...args) {
      const request = opened.apply(this, args);
      request.addEventListener('success', () => databases.push(request.result));
      return request;
    };
    // Closing by hand tells nobody, as a crash of the storage process does not.
    window.kill = () => databases.splice(0).forEach((database) => database.close());
  });
  const seen = await page.evaluate(async () => {
    const key = await countersign.openKey();
    kill();
    const again = await countersign.openKey();
    const wallet = new countersign.Wallet({ key });
    const rule = { requester: 'Example Shop', prefix: 'Pay 1 EUR' };
    const first = await wallet.policies.grant(rule);
    kill();
    await wallet.policies.grant(rule);
    kill();
    return [again.publicKey === key.publicKey, (await wallet.policies.list()).length, first.id !== undefined];
  });
  assert.deepEqual(seen, [true, 2, true]);
});
