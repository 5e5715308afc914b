import { Database } from './database.js';
import type { PolicyStore } from './policy-store.js';
import type { StoredRequest, StoredWallet, WalletIdentity, WalletStore } from './wallet-store.js';

const DATABASE = 'countersign';
const VERSION = 2;
const REQUESTS = 'requests';
const DEVICES = 'devices';
const POLICIES = 'policies';
const BY_EXPIRY = 'expiresAt';

/** More than a wallet ever keeps. */
const MOST_LOADED = 1_024;

/** The most requests kept for all keys together, those that are used no more among them. Which go first no clock decides, only their order. */
const MOST_KEPT = 4_096;

interface RequestRow extends WalletIdentity, StoredRequest {}

interface DeviceRow extends WalletIdentity {
  readonly id: string;
}

interface PoliciesRow extends WalletIdentity {
  readonly policies: string;
}

/** Keeps wallets in the browser's IndexedDB, in pages and workers. */
export class IndexedDbStore implements WalletStore, PolicyStore {
  readonly #database = new Database(DATABASE, VERSION, upgrade);

  async load({ publicKey, audience }: WalletIdentity, newDeviceId: string): Promise<StoredWallet> {
    let row: IDBRequest<DeviceRow | undefined> | undefined;
    const rows = await this.#database.transact([REQUESTS, DEVICES], 'readwrite', 'relaxed', (transaction) => {
      const requests = transaction.objectStore(REQUESTS);
      const devices = transaction.objectStore(DEVICES);
      const found: IDBRequest<DeviceRow | undefined> = devices.get([publicKey, audience]);
      found.onsuccess = () => {
        if (found.result === undefined) devices.put({ publicKey, audience, id: newDeviceId } satisfies DeviceRow);
      };
      row = found;
      const kept: IDBRequest<RequestRow[]> = requests.getAll(range(publicKey, audience), MOST_LOADED);
      const all = requests.index(BY_EXPIRY).getAllKeys();
      all.onsuccess = () => all.result.slice(0, -MOST_KEPT).forEach((key) => requests.delete(key));
      return kept;
    });
    return { deviceId: row?.result?.id ?? newDeviceId, requests: rows };
  }

  async put({ publicKey, audience }: WalletIdentity, { id, expiresAt, durable, record }: StoredRequest): Promise<void> {
    const row: RequestRow = { publicKey, audience, id, expiresAt, durable, record };
    await this.#change(durable ? 'strict' : 'relaxed', (requests) => requests.put(row));
  }

  async delete({ publicKey, audience }: WalletIdentity, requestId: string): Promise<void> {
    await this.#change('relaxed', (requests) => requests.delete([publicKey, audience, requestId]));
  }

  async updatePolicies({ publicKey, audience }: WalletIdentity, change: (kept: string | undefined) => string | undefined): Promise<void> {
    await this.#database.transact([POLICIES], 'readwrite', 'strict', (transaction) => {
      const rows = transaction.objectStore(POLICIES);
      const row: IDBRequest<PoliciesRow | undefined> = rows.get([publicKey, audience]);
      row.onsuccess = () => {
        const policies = change(row.result?.policies);
        if (policies !== undefined) rows.put({ publicKey, audience, policies } satisfies PoliciesRow);
      };
      return row;
    });
  }

  async #change(durability: IDBTransactionDurability, change: (requests: IDBObjectStore) => { readonly result: unknown }): Promise<void> {
    await this.#database.transact([REQUESTS], 'readwrite', durability, (transaction) => change(transaction.objectStore(REQUESTS)));
  }
}

function upgrade(database: IDBDatabase, from: number): void {
  if (from < 1) {
    const requests = database.createObjectStore(REQUESTS, { keyPath: ['publicKey', 'audience', 'id'] });
    requests.createIndex(BY_EXPIRY, BY_EXPIRY);
    database.createObjectStore(DEVICES, { keyPath: ['publicKey', 'audience'] });
  }
  database.createObjectStore(POLICIES, { keyPath: ['publicKey', 'audience'] });
}

/** All keys that begin with these two: an array sorts behind every string. */
function range(publicKey: string, audience: string): IDBKeyRange {
  return IDBKeyRange.bound([publicKey, audience], [publicKey, audience, []]);
}
