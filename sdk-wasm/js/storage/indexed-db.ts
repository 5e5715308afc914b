import { finished, openDatabase } from './database.js';
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

/** Long after their time, also by a clock that is somewhat wrong, what was kept for keys that are used no more goes too. */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1_000;

interface RequestRow extends WalletIdentity, StoredRequest {}

interface DeviceRow extends WalletIdentity {
  readonly id: string;
}

interface PoliciesRow extends WalletIdentity {
  readonly policies: string;
}

/** Keeps wallets in the browser's IndexedDB, in pages and workers. */
export class IndexedDbStore implements WalletStore, PolicyStore {
  #opening: Promise<IDBDatabase> | undefined;

  async load({ publicKey, audience }: WalletIdentity, newDeviceId: string): Promise<StoredWallet> {
    const transaction = (await this.#open()).transaction([REQUESTS, DEVICES], 'readwrite');
    const done = finished(transaction);
    const requests = transaction.objectStore(REQUESTS);
    const devices = transaction.objectStore(DEVICES);
    const rows: IDBRequest<RequestRow[]> = requests.getAll(range(publicKey, audience), MOST_LOADED);
    const row: IDBRequest<DeviceRow | undefined> = devices.get([publicKey, audience]);
    row.onsuccess = () => {
      if (row.result === undefined) devices.put({ publicKey, audience, id: newDeviceId } satisfies DeviceRow);
    };
    const leftBehind = requests.index(BY_EXPIRY).getAllKeys(IDBKeyRange.upperBound(Date.now() - LEFT_BEHIND_MS), MOST_LOADED);
    leftBehind.onsuccess = () => leftBehind.result.forEach((key) => requests.delete(key));
    await done;
    return { deviceId: row.result?.id ?? newDeviceId, requests: rows.result };
  }

  async put({ publicKey, audience }: WalletIdentity, { id, expiresAt, durable, record }: StoredRequest): Promise<void> {
    const row: RequestRow = { publicKey, audience, id, expiresAt, durable, record };
    await this.#change(durable ? 'strict' : 'relaxed', (requests) => requests.put(row));
  }

  async delete({ publicKey, audience }: WalletIdentity, requestId: string): Promise<void> {
    await this.#change('relaxed', (requests) => requests.delete([publicKey, audience, requestId]));
  }

  async updatePolicies({ publicKey, audience }: WalletIdentity, change: (kept: string | undefined) => string | undefined): Promise<void> {
    const transaction = (await this.#open()).transaction(POLICIES, 'readwrite', { durability: 'strict' });
    const done = finished(transaction);
    const rows = transaction.objectStore(POLICIES);
    const row: IDBRequest<PoliciesRow | undefined> = rows.get([publicKey, audience]);
    row.onsuccess = () => {
      const policies = change(row.result?.policies);
      if (policies !== undefined) rows.put({ publicKey, audience, policies } satisfies PoliciesRow);
    };
    await done;
  }

  async #change(durability: IDBTransactionDurability, change: (requests: IDBObjectStore) => void): Promise<void> {
    const transaction = (await this.#open()).transaction(REQUESTS, 'readwrite', { durability });
    const done = finished(transaction);
    change(transaction.objectStore(REQUESTS));
    await done;
  }

  #open(): Promise<IDBDatabase> {
    this.#opening ??= openDatabase(DATABASE, VERSION, upgrade, () => (this.#opening = undefined)).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
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
