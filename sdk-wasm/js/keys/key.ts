/// <reference lib="esnext.disposable" preserve="true" />
import { type Bytes, toBase64 } from '../common/bytes.js';
import { CountersignError } from '../common/errors.js';
import { init } from '../platform/wasm.js';
import { CoreKey, loadEd25519 } from './ed25519.js';
import { invalidKey, type PrivateJwk, readSeed, type Secret, toJwk, toPkcs8 } from './key-formats.js';
import { checkSignable, type Signer } from './signer.js';

const cores = new WeakMap<Signer, CoreKey>();

/**
 * An Ed25519 key (RFC 8032). The secret lives in WebAssembly memory and is overwritten when the key is freed or collected.
 * Wallets sign with it there: the secret comes out by the exports only.
 *
 * @example
 * ```js
 * using key = await Key.generate();
 * const wallet = new Wallet({ key });
 * ```
 */
export class Key implements Signer {
  /** The public key: 32 bytes in base64. */
  readonly publicKey: string;

  /** Where the secret is kept beside WebAssembly memory: nowhere (`memory`), or where `openKey()` had it from (`sealed`). */
  readonly storage: 'memory' | 'sealed';

  /** As {@link WebCryptoKey.created} has it. */
  readonly created: boolean;

  private constructor(core: CoreKey, storage: 'memory' | 'sealed' = 'memory', created = true) {
    cores.set(this, core);
    this.publicKey = toBase64(core.public_key());
    this.storage = storage;
    this.created = created;
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'Key';
  }

  /** Makes a new key of 32 bytes from `crypto.getRandomValues`. */
  static async generate(): Promise<Key> {
    await load();
    const core = CoreKey.generate();
    if (core !== undefined) return new Key(core);
    throw new CountersignError(
      'no_randomness',
      'no crypto.getRandomValues here, and a key needs it: use a current browser, or Node.js 20 or later',
    );
  }

  /**
   * The key of a seed, which {@link Key.exportSeed} gave. The caller's copy stays the caller's to overwrite.
   *
   * @throws {CountersignError} `invalid_seed` unless it is a `Uint8Array` of 32 bytes.
   */
  static async fromSeed(seed: Uint8Array): Promise<Key> {
    return Key.of(readSeed(seed));
  }

  /** The key of a seed that is this function's to overwrite. @internal */
  static async of({ seed, publicKey }: Secret, storage?: 'sealed', created?: boolean): Promise<Key> {
    try {
      await load();
      const core = CoreKey.from_seed(seed);
      if (core === undefined) throw new CountersignError('invalid_seed', `a seed is 32 bytes, this one is ${seed.length}`);
      const key = new Key(core, storage, created);
      if (publicKey === undefined || publicKey === key.publicKey) return key;
      key.free();
      throw invalidKey('the private key and the public key beside it do not belong together');
    } finally {
      seed.fill(0);
    }
  }

  /**
   * Signs any bytes: 64 bytes, as RFC 8032 has it, that verify everywhere. No wallet, server or human is asked.
   *
   * @throws {CountersignError} `invalid_message` for bytes that could stand for the protocol's own signatures, which start with
   *   0xFF and `countersign/`, unless it is the array a wallet asked a {@link Signer} to sign; `key_freed`.
   */
  sign(bytes: Uint8Array): Bytes {
    checkSignable(bytes);
    return (coreOf(this).sign(bytes) as Bytes | undefined) ?? freed();
  }

  /**
   * A copy of the 32 secret bytes. Whoever holds it holds the key: store it encrypted, and overwrite it after use.
   *
   * @throws {CountersignError} `key_freed`
   */
  exportSeed(): Bytes {
    return (coreOf(this).export_seed() as Bytes | undefined) ?? freed();
  }

  /**
   * The secret as PKCS#8 version 1 in DER (RFC 8410): 48 bytes, to be treated like the seed.
   *
   * @throws {CountersignError} `key_freed`
   */
  exportPkcs8(): Bytes {
    return this.#withSeed(toPkcs8);
  }

  /**
   * The secret as a JSON Web Key (RFC 8037), to be treated like the seed; its text cannot be overwritten.
   *
   * @throws {CountersignError} `key_freed`
   */
  exportJwk(): PrivateJwk {
    return this.#withSeed((seed) => toJwk(seed, this.publicKey));
  }

  /** Overwrites the secret. A wallet that uses the key can sign nothing after this. */
  free(): void {
    coreOf(this).destroy();
  }

  [Symbol.dispose](): void {
    this.free();
  }

  #withSeed<T>(use: (seed: Uint8Array) => T): T {
    const seed = this.exportSeed();
    try {
      return use(seed);
    } finally {
      seed.fill(0);
    }
  }
}

/** What a key of this package signs for a wallet with that public key; undefined for any other signer. @internal */
export function signedHere(signer: Signer, publicKey: string, bytes: Uint8Array): Uint8Array | undefined {
  const core = cores.get(signer);
  if (core === undefined || toBase64(core.public_key()) !== publicKey) return undefined;
  return core.sign(bytes) ?? freed();
}

/** Loads what a key needs, and what a wallet of it does: making that waits for nothing. */
async function load(): Promise<void> {
  await Promise.all([init(), loadEd25519()]);
}

function freed(): never {
  throw new CountersignError('key_freed', 'the key was freed, so nothing can be signed with it');
}

function coreOf(key: Key): CoreKey {
  const core = cores.get(key);
  if (core === undefined) throw invalidKey('not a key of this package');
  return core;
}
