import { CoreKey } from './core.js';
import { CountersignError, guarded } from './errors.js';
import { init } from './runtime.js';

const cores = new WeakMap<Key, CoreKey>();

/**
 * An Ed25519 key (RFC 8032). The secret lives in WebAssembly memory and is overwritten when the key is freed or collected.
 * It signs through a wallet's requests only.
 */
export class Key implements Disposable {
  /** The public key: 32 bytes in base64. */
  readonly publicKey: string;

  private constructor(core: CoreKey) {
    cores.set(this, core);
    this.publicKey = core.public_key();
  }

  /** Makes a new key of 32 bytes from `crypto.getRandomValues`. */
  static async generate(): Promise<Key> {
    await init();
    return guarded(() => new Key(CoreKey.generate()));
  }

  /**
   * The key of a seed, which {@link Key.exportSeed} gave. The caller's copy stays the caller's to overwrite.
   *
   * @throws {CountersignError} `invalid_seed` unless it is a `Uint8Array` of 32 bytes.
   */
  static async fromSeed(seed: Uint8Array): Promise<Key> {
    if (!(seed instanceof Uint8Array)) throw new CountersignError('invalid_seed', 'a seed is a Uint8Array of 32 bytes');
    await init();
    return guarded(() => new Key(CoreKey.from_seed(seed)));
  }

  /**
   * A copy of the 32 secret bytes. Whoever holds it holds the key: store it encrypted, and overwrite it after use.
   *
   * @throws {CountersignError} `key_freed`
   */
  exportSeed(): Uint8Array {
    return guarded(() => coreOf(this).export_seed());
  }

  /** Overwrites the secret. A wallet that uses the key can sign nothing after this. */
  free(): void {
    coreOf(this).destroy();
  }

  [Symbol.dispose](): void {
    this.free();
  }
}

/** @internal */
export function coreOf(key: Key): CoreKey {
  const core = cores.get(key);
  if (core === undefined) {
    throw new CountersignError('invalid_key', 'not a key of this package: make one with await Key.generate() or await Key.fromSeed(seed)');
  }
  return core;
}
