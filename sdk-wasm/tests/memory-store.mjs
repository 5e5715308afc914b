/** A store that outlives the wallets of a test, as a disk outlives pages; broken on demand. */
export class MemoryStore {
  /** @type {Map<string, import('countersign').WalletIdentity & { request: import('countersign').StoredRequest }>} */
  rows = new Map();
  /** @type {string | undefined} */
  deviceId;
  /**
   * Called before each change, to fail or to wait.
   *
   * @type {(what: 'put' | 'delete', request: Partial<import('countersign').StoredRequest>) => Promise<void>}
   */
  before = async () => {};

  /**
   * @param {import('countersign').WalletIdentity} wallet
   * @param {string} newDeviceId
   */
  async load(wallet, newDeviceId) {
    this.deviceId ??= newDeviceId;
    const requests = [...this.rows.values()].filter((row) => row.publicKey === wallet.publicKey && row.audience === wallet.audience);
    return { deviceId: this.deviceId, requests: requests.map(({ request }) => request) };
  }

  /**
   * @param {import('countersign').WalletIdentity} wallet
   * @param {import('countersign').StoredRequest} request
   */
  async put({ publicKey, audience }, request) {
    await this.before('put', request);
    this.rows.set(`${publicKey} ${audience} ${request.id}`, { publicKey, audience, request });
  }

  /**
   * @param {import('countersign').WalletIdentity} wallet
   * @param {string} id
   */
  async delete({ publicKey, audience }, id) {
    await this.before('delete', { id });
    this.rows.delete(`${publicKey} ${audience} ${id}`);
  }

  get requests() {
    return [...this.rows.values()].map(({ request }) => request);
  }
}

/** A promise and the means to resolve it. */
export function gate() {
  /** @type {() => void} */
  let open = () => {};
  /** @type {Promise<void>} */
  const opened = new Promise((resolve) => (open = resolve));
  return { open, opened };
}
