import { fromBase64 } from '../common/bytes.js';
import { CountersignError, reasonOf } from '../common/errors.js';
import { randomId } from '../common/random-id.js';
import { Database } from '../storage/database.js';
import { invalidKey } from './key-formats.js';
import type { Signer } from './signer.js';

const KEYS = 'keys';
const database = new Database('countersign-keys', 1, (made) => made.createObjectStore(KEYS, { keyPath: 'name' }));

/** The name of a key, where none is given. */
export const DEFAULT_NAME = 'default';

/** What is kept of a key that the browser itself signs with. */
export interface WebCryptoRecord {
  readonly name: string;
  readonly storage: 'webcrypto';
  readonly publicKey: string;
  /** Ed25519, not extractable. */
  readonly privateKey: CryptoKey;
}

/** What is kept of a key that WebAssembly signs with. */
export interface SealedRecord {
  readonly name: string;
  readonly storage: 'sealed';
  readonly publicKey: string;
  /** AES-256-GCM, not extractable. */
  readonly sealingKey: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  /** The seed, encrypted. */
  readonly sealed: ArrayBuffer;
}

export type KeyRecord = WebCryptoRecord | SealedRecord;

/** What is kept under a name. */
export async function findKey(name: string): Promise<KeyRecord | undefined> {
  checkName(name);
  const record = await change('readonly', (keys) => keys.get(name));
  return record === undefined ? undefined : checked(name, record);
}

/**
 * Keeps a key unless there is one of its name; answers the one that is kept then. Of many tabs at once, one is first.
 *
 * There are engines that store a key of the browser's and give something else back, so that it has to come back and sign once before it counts.
 */
export async function keepKey<R extends KeyRecord>(record: R, opened: (record: R) => Promise<Signer> | Signer): Promise<KeyRecord> {
  const name = `probe ${randomId()}`;
  await put({ ...record, name });
  try {
    const back = await findKey(name);
    if (back === undefined) throw brokenKey(record.name);
    await (await opened(back as R)).sign(new Uint8Array(1));
  } finally {
    await forgetKey(name);
  }
  return put(record);
}

async function put(record: KeyRecord): Promise<KeyRecord> {
  const before = await change('readwrite', (keys) => {
    const found: IDBRequest<unknown> = keys.get(record.name);
    found.addEventListener('success', () => {
      if (found.result === undefined) keys.add(record);
    });
    return found;
  });
  return before === undefined ? record : checked(record.name, before);
}

/** Forgets the key of that name; with `publicKey`, only if it is still that key. */
export async function forgetKey(name: string, publicKey?: string): Promise<void> {
  checkName(name);
  await change('readwrite', (keys) => {
    const found: IDBRequest<{ publicKey?: unknown } | undefined> = keys.get(name);
    found.addEventListener('success', () => {
      if (publicKey === undefined || found.result?.publicKey === publicKey) keys.delete(name);
    });
    return found;
  });
}

/** What is kept cannot be used. It is not replaced: whoever wants another key says so. */
export function brokenKey(name: string, cause?: unknown): CountersignError {
  return invalidKey(`the key ${JSON.stringify(name)} in IndexedDB is broken; deleteKey() makes room for another`, cause);
}

export function checkName(name: string): void {
  if (typeof name !== 'string' || name === '' || name.length > 256) throw new TypeError("a key's name is a text of 1 to 256 characters");
}

/** One transaction: all of it is on disk when this resolves, with the result of the request. */
async function change<T>(mode: IDBTransactionMode, use: (keys: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  try {
    return await database.transact([KEYS], mode, 'strict', (transaction) => use(transaction.objectStore(KEYS)));
  } catch (cause) {
    throw new CountersignError('storage_unavailable', `Keys cannot be kept here, in IndexedDB: ${reasonOf(cause)}`, { cause });
  }
}

function checked(name: string, kept: unknown): KeyRecord {
  const record: Partial<KeyRecord> = kept ?? {};
  const isKey = (key: unknown, algorithm: string, usage: KeyUsage) =>
    key instanceof CryptoKey && key.algorithm.name === algorithm && key.usages.includes(usage);
  const isSound =
    typeof record.publicKey === 'string' &&
    fromBase64(record.publicKey)?.length === 32 &&
    (record.storage === 'webcrypto'
      ? isKey(record.privateKey, 'Ed25519', 'sign')
      : record.storage === 'sealed' && isKey(record.sealingKey, 'AES-GCM', 'decrypt'));
  if (!isSound) throw brokenKey(name);
  return record as KeyRecord;
}
