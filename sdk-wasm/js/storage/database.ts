/**
 * Opens a database of IndexedDB.
 *
 * @param upgrade called with the version found, 0 where there is none, if that is older
 * @param gone called when the connection is of no more use
 */
export function openDatabase(
  name: string,
  version: number,
  upgrade: (database: IDBDatabase, from: number) => void,
  gone: () => void = () => {},
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
export function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave the change up'));
  });
}
