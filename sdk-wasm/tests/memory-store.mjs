/** A store that outlives the wallets of a test, as a disk outlives pages; broken on demand. */
export class MemoryStore {
  rows = new Map();
  deviceId;
  /** Called before each change, to fail or to wait. */
  before = async () => {};

  async load(wallet, newDeviceId) {
    this.deviceId ??= newDeviceId;
    const requests = [...this.rows.values()].filter((row) => row.publicKey === wallet.publicKey && row.audience === wallet.audience);
    return { deviceId: this.deviceId, requests: requests.map(({ request }) => request) };
  }

  async put({ publicKey, audience }, request) {
    await this.before('put', request);
    this.rows.set(`${publicKey} ${audience} ${request.id}`, { publicKey, audience, request });
  }

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
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { open, opened };
}
