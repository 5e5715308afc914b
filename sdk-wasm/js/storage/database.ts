import { withTimeout } from '../common/timeout.js';

/** Longer than this nobody waits for IndexedDB: there are browsers in which opening a database is now and then never answered. */
const PATIENCE_MS = 5_000;

/** A database of IndexedDB: opened when it is needed, and anew when the connection has died, whether or not that was told. */
export class Database {
  readonly #name: string;
  readonly #version: number;
  readonly #upgrade: (database: IDBDatabase, from: number) => void;
  #opening: Promise<IDBDatabase> | undefined;

  /** @param upgrade called with the version found, 0 where there is none, if that is older */
  constructor(name: string, version: number, upgrade: (database: IDBDatabase, from: number) => void) {
    this.#name = name;
    this.#version = version;
    this.#upgrade = upgrade;
  }

  /** One transaction: all of it is written when this resolves, with the result of the request that `use` answers. */
  async transact<T>(
    stores: string[],
    mode: IDBTransactionMode,
    durability: IDBTransactionDurability,
    use: (transaction: IDBTransaction) => { readonly result: T },
  ): Promise<T> {
    const act = async () => {
      const transaction = (await this.#open()).transaction(stores, mode, { durability });
      const done = finished(transaction);
      const request = use(transaction);
      await done;
      return request.result;
    };
    const isUsed = this.#opening !== undefined;
    return this.#attempt(act).catch((error: unknown) => {
      if (!isUsed) throw error;
      // What a dead connection was to do has not been done; a new one may.
      return this.#attempt(act);
    });
  }

  /** Does something with the connection, which is let go where that fails. */
  async #attempt<T>(act: () => Promise<T>): Promise<T> {
    const opening = this.#open();
    try {
      return await withTimeout(act(), PATIENCE_MS);
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      opening.then(
        (database) => database.close(),
        () => {},
      );
      throw error;
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#opening ??= openDatabase(this.#name, this.#version, this.#upgrade, () => (this.#opening = undefined));
    return this.#opening;
  }
}

function openDatabase(
  name: string,
  version: number,
  upgrade: (database: IDBDatabase, from: number) => void,
  gone: () => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    if (typeof indexedDB === 'undefined') throw new Error('there is no IndexedDB here');
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = ({ oldVersion }) => upgrade(request.result, oldVersion);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB does not open'));
    // Another tab runs an older version of this package and does not let go. It is not waited for.
    request.onblocked = () => {
      request.onsuccess = () => request.result.close();
      reject(new Error('another tab holds an older version of the database open'));
    };
    request.onsuccess = () => {
      const database = request.result;
      database.onversionchange = () => {
        database.close();
        gone();
      };
      database.onclose = gone;
      resolve(database);
    };
  });
}

/** Resolves once all of a transaction is written. */
function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave the change up'));
  });
}
