import { type Bytes, toBase64 } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';
import { retry } from '../common/retry.js';
import { init } from '../platform/wasm.js';
import { Key } from './key.js';
import { invalidKey, readSeed, type Secret, toJwk, toPkcs8 } from './key-formats.js';
import { checkName, DEFAULT_NAME, findKey, forgetKey, type KeyRecord, keepKey, type WebCryptoRecord } from './key-store.js';
import { checkSignable, type Signer } from './signer.js';

const ED25519 = { name: 'Ed25519' };

/** Under which name a key is kept in IndexedDB. */
export interface KeyName {
  /** 1 to 256 characters. */
  name?: string;
}

/**
 * An Ed25519 key that the browser itself holds and signs with, and gives to nobody: not to scripts of this page either, which can
 * sign with it while they run and cannot take it away. Kept in IndexedDB under a name, it lasts until the site's data is
 * cleared; there is no backup of it.
 *
 * @example
 * ```js
 * const key = await WebCryptoKey.open(); // the same at every visit
 * const wallet = new Wallet({ key });
 * ```
 */
export class WebCryptoKey implements Signer {
  /** The public key: 32 bytes in base64. */
  readonly publicKey: string;
  readonly storage = 'webcrypto';
  /** What it is kept as; undefined for a key that is not kept. */
  readonly name: string | undefined;
  /**
   * Whether it was made, or taken in, by the call that gave this object, rather than found. Where there had been a key before, the site's data was
   * cleared: whoever knows the old public key has to be told.
   */
  readonly created: boolean;
  readonly #privateKey: CryptoKey;

  private constructor(publicKey: string, privateKey: CryptoKey, name: string | undefined, created: boolean) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
    this.name = name;
    this.created = created;
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'WebCryptoKey';
  }

  /** Whether there is Ed25519 in WebCrypto here: found by making a key and signing with it, at each call. */
  static async supported(): Promise<boolean> {
    try {
      return (await (await WebCryptoKey.#make()).sign(new Uint8Array(1))).length === 64;
    } catch {
      return false;
    }
  }

  /**
   * Makes a new key, and keeps it where a `name` is given.
   *
   * @throws {CountersignError} `no_webcrypto`; `key_exists` where there is one of that name; `storage_unavailable`.
   */
  static async generate({ name }: KeyName = {}): Promise<WebCryptoKey> {
    await init();
    return (await WebCryptoKey.#make()).#keep(name);
  }

  /**
   * The key that is kept under a name, or a new one that is from now on. However many tabs call this at once, they get the same.
   *
   * @throws {CountersignError} `no_webcrypto`; `invalid_key` where what is kept is broken, or kept sealed by `openKey()`;
   *   `storage_unavailable`.
   */
  static async open({ name = DEFAULT_NAME }: KeyName = {}): Promise<WebCryptoKey> {
    await init();
    const found = await findKey(name);
    return found === undefined ? WebCryptoKey.make(name) : WebCryptoKey.of(found);
  }

  /**
   * Takes the key of a seed in, never to be given out again, and keeps it where a `name` is given. The caller's copy stays the
   * caller's to overwrite.
   *
   * @throws {CountersignError} `invalid_seed`; `no_webcrypto`; `key_exists` where another is kept under that name;
   *   `storage_unavailable`.
   */
  static async fromSeed(seed: Uint8Array, options: KeyName = {}): Promise<WebCryptoKey> {
    return WebCryptoKey.take(readSeed(seed), options);
  }

  /** The key of a record. @internal */
  static of(record: KeyRecord, created = false): WebCryptoKey {
    if (record.storage === 'webcrypto') return new WebCryptoKey(record.publicKey, record.privateKey, record.name, created);
    throw invalidKey(`the key ${JSON.stringify(record.name)} is kept sealed: open it with openKey()`);
  }

  /** A new key, kept; or the one that another tab has kept meanwhile. @internal */
  static async make(name: string): Promise<WebCryptoKey> {
    const record = (await WebCryptoKey.#make()).#record(name);
    const kept = await keepKey(record, WebCryptoKey.of);
    return WebCryptoKey.of(kept, kept === record);
  }

  /**
   * Signs any bytes: 64 bytes. No wallet, server or human is asked.
   *
   * @throws {CountersignError} `invalid_message` as {@link Key.sign} does.
   */
  async sign(bytes: Uint8Array): Promise<Bytes> {
    checkSignable(bytes);
    const copy = new Uint8Array(bytes);
    return new Uint8Array(await retry(() => subtle().sign(ED25519, this.#privateKey, copy)));
  }

  /**
   * Forgets what is kept of this key, for good. Objects that were made before go on signing until they are gone.
   *
   * @throws {CountersignError} `storage_unavailable`
   */
  async delete(): Promise<void> {
    if (this.name !== undefined) await forgetKey(this.name, this.publicKey);
  }

  /** Whether what a key gave holds under a public key; undefined for any other signer. @internal */
  static holds(signer: Signer, publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> | undefined {
    return #privateKey in signer ? verifies(publicKey, bytes, signature) : undefined;
  }

  static async #make(): Promise<WebCryptoKey> {
    const generated = await retry(() => subtle().generateKey(ED25519, false, ['sign', 'verify'])).catch(unsupported);
    const { publicKey, privateKey } = generated as CryptoKeyPair;
    const raw = await retry(() => subtle().exportKey('raw', publicKey));
    return new WebCryptoKey(toBase64(new Uint8Array(raw)), privateKey, undefined, true);
  }

  /** Takes in the key of a seed that is this function's to overwrite. @internal */
  static async take(secret: Secret, { name }: KeyName): Promise<WebCryptoKey> {
    const der = toPkcs8(secret.seed);
    try {
      // WebCrypto does not check a public key beside the seed, and gives none out for a key that it is to keep to itself.
      const key = await Key.of(secret);
      key.free();
      const privateKey = await retry(() => subtle().importKey('pkcs8', der, ED25519, false, ['sign']))
        // WebKitGTK takes no seed so that begins with a zero byte, and takes it so.
        .catch(() => subtle().importKey('jwk', { ...toJwk(der.subarray(-32), key.publicKey) }, ED25519, false, ['sign']))
        .catch(unsupported);
      return await new WebCryptoKey(key.publicKey, privateKey, undefined, true).#keep(name);
    } finally {
      der.fill(0);
    }
  }

  #record(name: string): WebCryptoRecord {
    return { name, storage: this.storage, publicKey: this.publicKey, privateKey: this.#privateKey };
  }

  async #keep(name: string | undefined): Promise<WebCryptoKey> {
    if (name === undefined) return this;
    checkName(name);
    const record = this.#record(name);
    const kept = await keepKey(record, WebCryptoKey.of);
    if (kept.publicKey === this.publicKey) return WebCryptoKey.of(kept, kept === record);
    throw new CountersignError('key_exists', `another key is kept as ${JSON.stringify(name)}: open that, delete it, or take another name`);
  }
}

/** A record may name the public key of another key, and a wallet sends nothing that does not hold under the one it names. */
async function verifies(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = await subtle()
    .importKey('raw', new Uint8Array(publicKey), ED25519, false, ['verify'])
    .catch((cause: unknown) => {
      throw invalidKey('the browser does not take it', cause);
    });
  return subtle().verify(ED25519, key, new Uint8Array(signature), new Uint8Array(bytes));
}

/** The browser's cryptography, if the page may use it. @internal */
export function subtle(): SubtleCrypto {
  const found = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (found !== undefined) return found;
  throw new CountersignError('no_webcrypto', 'No crypto.subtle here: browsers have it in pages served by https: or from localhost only.');
}

function unsupported(cause: unknown): never {
  throw new CountersignError('no_webcrypto', 'No Ed25519 in the WebCrypto here: use openKey(), which does without, or a newer browser.', {
    cause,
  });
}
