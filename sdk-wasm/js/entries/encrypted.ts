import * as script from '../encrypted-core.js';
import type { WasmSource } from '../platform/wasm.js';
import { CountersignError, callCore, fromBase64, instantiate, Key, once, toBase64 } from './shared.js';

/** What it costs to try a passphrase; by default what RFC 9106 §4 recommends where memory is scarce. */
export interface ExportOptions {
  /** Memory in KiB: 19,456 to 262,144; 65,536 unless given. */
  memoryKib?: number;
  /** Passes over the memory: 1 to 12; 3 unless given. */
  iterations?: number;
}

/** What a file says beside its ciphertext. */
interface Header {
  readonly publicKey: string;
  readonly memoryKib: number;
  readonly iterations: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
}

const FORMAT = 'countersign-key';
const VERSION = 1;
const LANES = 4;
const LONGEST_FILE = 4_096;
const SHORTEST_PASSPHRASE = 8;
const LONGEST_PASSPHRASE = 1_024;

/**
 * Encrypts a key under a passphrase: argon2id (RFC 9106) and XChaCha20-Poly1305, to be kept anywhere or printed. Blocks the
 * thread for about half a second, and keeps 64 MiB of memory until the page is gone: in a page that must not pause, call it in a
 * worker. The format is in the repository, in `sdk-wasm/encrypted/README.md`.
 *
 * @example
 * ```js
 * import { exportEncrypted } from 'countersign/encrypted';
 *
 * const text = await exportEncrypted(key, passphrase); // one JSON text of some 400 characters
 * ```
 * @param passphrase at least 8 characters, better five random words; composed and decomposed letters are the same to it (NFKC)
 * @throws {CountersignError} `invalid_passphrase`; `invalid_key` for what is no {@link Key}; `key_freed`; `invalid_export` for a cost out of bounds; `no_memory`.
 */
export async function exportEncrypted(key: Key, passphrase: string, options: ExportOptions = {}): Promise<string> {
  if (typeof key?.exportSeed !== 'function') throw new CountersignError('invalid_key', 'only the secret of a Key can be exported');
  const secret = readPassphrase(passphrase, SHORTEST_PASSPHRASE);
  const seed = key.exportSeed();
  try {
    const { publicKey } = key;
    const { memoryKib = 65_536, iterations = 3 } = options;
    const [salt, nonce] = [crypto.getRandomValues(new Uint8Array(16)), crypto.getRandomValues(new Uint8Array(24))];
    const sealed = await withCore({ publicKey, memoryKib, iterations, lanes: LANES, salt, nonce }, (core) => core.seal(secret, seed));
    return JSON.stringify({
      format: FORMAT,
      version: VERSION,
      publicKey,
      kdf: { name: 'argon2id', memoryKib, iterations, lanes: LANES, salt: toBase64(salt) },
      cipher: { name: 'xchacha20-poly1305', nonce: toBase64(nonce) },
      ciphertext: toBase64(sealed),
    });
  } finally {
    seed.fill(0);
    secret.fill(0);
  }
}

/**
 * Decrypts a key that {@link exportEncrypted} encrypted. Blocks the thread as that does; what a file can ask for is bounded by
 * 256 MiB and some ten seconds.
 *
 * @example
 * ```js
 * import { importEncrypted } from 'countersign/encrypted';
 *
 * const key = await importEncrypted(await file.text(), passphrase);
 * ```
 * @throws {CountersignError} `wrong_passphrase`, also where the text was altered; `invalid_export` for a text that is no such
 *   export, or one of a later version; `invalid_passphrase` for what is no text; `no_memory`.
 */
export async function importEncrypted(text: string, passphrase: string): Promise<Key> {
  const { header, ciphertext } = readExport(text);
  const secret = readPassphrase(passphrase, 0);
  try {
    const seed = await withCore(header, (core) => core.open(secret, ciphertext));
    return await Key.of({ seed: seed as Uint8Array<ArrayBuffer>, publicKey: header.publicKey });
  } finally {
    secret.fill(0);
  }
}

/**
 * Loads the WebAssembly of this subpath. There is no need to call this, except with a `source` where `encrypted.wasm` lies elsewhere
 * than beside the package's own scripts, or where only compiled modules are taken. Once loaded, further calls have no effect.
 *
 * @throws {CountersignError} `wasm_not_found`, `wasm_invalid`, `wasm_blocked`
 */
export const init: (source?: WasmSource) => Promise<void> = once(async (source) => {
  // Written out in full: bundlers look for exactly this expression.
  await instantiate('encrypted-core', script, source ?? new URL('./encrypted.wasm', import.meta.url));
});

async function withCore<T>(
  { publicKey, memoryKib, iterations, lanes, salt, nonce }: Header,
  use: (core: script.CoreHeader) => T,
): Promise<T> {
  await init();
  return callCore(() => {
    const core = new script.CoreHeader(
      fromBase64(publicKey) ?? new Uint8Array(),
      whole(memoryKib),
      whole(iterations),
      whole(lanes),
      salt,
      nonce,
    );
    try {
      return use(core);
    } finally {
      core.free();
    }
  });
}

/** A number that WebAssembly does not take for another; out of all bounds where it is none. */
function whole(number: number): number {
  return Number.isInteger(number) && number >= 0 && number < 2 ** 32 ? number : 0;
}

function readPassphrase(passphrase: string, shortest: number): Uint8Array {
  const text = typeof passphrase === 'string' ? passphrase.normalize('NFKC') : undefined;
  const length = text === undefined ? -1 : [...text].length;
  if (length < shortest || length > LONGEST_PASSPHRASE) {
    throw new CountersignError(
      'invalid_passphrase',
      `a passphrase is a text of ${SHORTEST_PASSPHRASE} to ${LONGEST_PASSPHRASE} characters`,
    );
  }
  return new TextEncoder().encode(text);
}

function readExport(text: string): { header: Header; ciphertext: Uint8Array } {
  if (typeof text !== 'string' || text.length > LONGEST_FILE) throw invalid(`it is no text of at most ${LONGEST_FILE} characters`);
  const file = members(parse(text), 'it');
  if (file.format !== FORMAT) throw invalid(`its format is not "${FORMAT}"`);
  if (file.version !== VERSION) throw invalid(`its version is not ${VERSION}: a newer version of this package may read it`);
  const kdf = members(file.kdf, 'kdf');
  const cipher = members(file.cipher, 'cipher');
  if (kdf.name !== 'argon2id') throw invalid('its kdf is not argon2id');
  if (cipher.name !== 'xchacha20-poly1305') throw invalid('its cipher is not xchacha20-poly1305');
  return {
    header: {
      publicKey: toBase64(bytes(file.publicKey, 'publicKey')),
      memoryKib: number(kdf.memoryKib, 'memoryKib'),
      iterations: number(kdf.iterations, 'iterations'),
      lanes: number(kdf.lanes, 'lanes'),
      salt: bytes(kdf.salt, 'salt'),
      nonce: bytes(cipher.nonce, 'nonce'),
    },
    ciphertext: bytes(file.ciphertext, 'ciphertext'),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('it is no JSON');
  }
}

function members(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw invalid(`${what} is no object`);
  return value as Record<string, unknown>;
}

function bytes(value: unknown, what: string): Uint8Array {
  const read = typeof value === 'string' ? fromBase64(value) : undefined;
  if (read === undefined) throw invalid(`${what} is no base64`);
  return read;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number') throw invalid(`${what} is no number`);
  return value;
}

function invalid(why: string): CountersignError {
  return new CountersignError('invalid_export', `not an encrypted key of this package: ${why}`);
}
