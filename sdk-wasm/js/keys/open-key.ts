import { retry } from '../common/retry.js';
import { init } from '../platform/wasm.js';
import { Key } from './key.js';
import { brokenKey, DEFAULT_NAME, findKey, forgetKey, type KeyRecord, keepKey, type SealedRecord } from './key-store.js';
import { type KeyName, subtle, WebCryptoKey } from './web-crypto-key.js';

/**
 * The key that this browser keeps under a name, or a new one that it keeps from now on: what most wallets want. However many tabs
 * call this at once, they get the same.
 *
 * A new key is a {@link WebCryptoKey} where the browser has Ed25519 and gives back what it has stored of it. Elsewhere it is a {@link Key} whose seed is kept encrypted
 * (`storage` is `sealed`), under an AES-GCM key that the browser gives to nobody: that protects the files on disk, and not
 * against scripts of the same page. What a key is once, it stays: an update of the browser changes nobody's identity.
 *
 * It lasts until the site's data is cleared, which some browsers do by themselves after a while without a visit;
 * `navigator.storage.persist()` asks them not to.
 *
 * @example
 * ```js
 * const wallet = new Wallet({ key: await openKey() });
 * ```
 * @throws {CountersignError} `storage_unavailable` where there is no IndexedDB or it fails; `invalid_key` where what is kept is
 *   broken; `no_webcrypto` in a page that was not served by https: or from localhost.
 */
export async function openKey({ name = DEFAULT_NAME }: KeyName = {}): Promise<WebCryptoKey | Key> {
  await init();
  const found = await findKey(name);
  if (found !== undefined) return opened(found);
  // Where the browser has no Ed25519, or stores no key of it, or fails whatever it is asked.
  return WebCryptoKey.make(name).catch(() => makeSealed(name));
}

/**
 * Forgets the key that is kept under a name, whatever its form, for good. Objects that were made before go on signing until they
 * are gone.
 *
 * @throws {CountersignError} `storage_unavailable`
 */
export async function deleteKey({ name = DEFAULT_NAME }: KeyName = {}): Promise<void> {
  await forgetKey(name);
}

async function opened(record: KeyRecord, created = false): Promise<WebCryptoKey | Key> {
  return record.storage === 'sealed' ? unseal(record, created) : WebCryptoKey.of(record, created);
}

async function makeSealed(name: string): Promise<WebCryptoKey | Key> {
  const record = await seal(name);
  const kept = await keepKey(record, unseal);
  return opened(kept, kept === record);
}

async function seal(name: string): Promise<SealedRecord> {
  const sealingKey = await retry(() => subtle().generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const key = await Key.generate();
  const seed = key.exportSeed();
  try {
    const sealed = await subtle().encrypt({ name: 'AES-GCM', iv }, sealingKey, seed);
    return { name, storage: 'sealed', publicKey: key.publicKey, sealingKey, iv, sealed };
  } finally {
    seed.fill(0);
    key.free();
  }
}

async function unseal({ name, publicKey, sealingKey, iv, sealed }: SealedRecord, created = false): Promise<Key> {
  try {
    const seed = new Uint8Array(await subtle().decrypt({ name: 'AES-GCM', iv }, sealingKey, sealed));
    return await Key.of({ seed, publicKey }, 'sealed', created);
  } catch (cause) {
    throw brokenKey(name, cause);
  }
}
