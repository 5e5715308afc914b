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
