/** Names a wallet in a {@link WalletStore}: nothing that is kept for one server is ever sent to another. */
export interface WalletIdentity {
  /** The wallet's public key: 32 bytes in base64. */
  readonly publicKey: string;
  /** The server's WebSocket address without query; of several nodes, that of the first in the list, whichever is connected. */
  readonly audience: string;
}

/** What a {@link WalletStore} keeps of one request. */
export interface StoredRequest {
  /** The request's id. */
  readonly id: string;
  /**
   * When it expires, in milliseconds as `Date.now()` counts them. The wallet itself deletes it a week later, since clocks may be wrong, or when there
   * are more than 256 newer ones.
   */
  readonly expiresAt: number;
  /** Whether it holds a decision that has not reached the server: `put` is to resolve only once this is safely on disk. */
  readonly durable: boolean;
  /** All else, for the wallet itself. While a signature is not acknowledged it holds the message, and never the key. */
  readonly record: string;
}

/** What a {@link WalletStore} has of one wallet. */
export interface StoredWallet {
  /** What this device calls itself to the server. */
  readonly deviceId: string;
  /** The requests that were put and not deleted, in any order. */
  readonly requests: readonly StoredRequest[];
}

/**
 * Where a wallet keeps what has to outlive the page or process: which requests it has shown, and what was answered. A human is
 * then asked once, whatever crashes. Calls about one request come one after another; a rejection is told as `storage_failed`
 * and stops nothing.
 *
 * @example
 * ```js
 * const requests = new Map();
 * const wallet = new Wallet({
 *   key,
 *   url: 'wss://sign.example.com/ws',
 *   store: {
 *     async load({ publicKey, audience }, newDeviceId) {
 *       return { deviceId: newDeviceId, requests: [...requests.values()] };
 *     },
 *     async put(wallet, request) { requests.set(request.id, request); },
 *     async delete(wallet, requestId) { requests.delete(requestId); },
 *   },
 * });
 * ```
 */
export interface WalletStore {
  /** All that is kept of a wallet. Where it has no device id yet, `newDeviceId` becomes it and is kept. */
  load(wallet: WalletIdentity, newDeviceId: string): Promise<StoredWallet>;
  /** Keeps a request, in place of what was kept under its id. */
  put(wallet: WalletIdentity, request: StoredRequest): Promise<void>;
  /** Forgets a request, if it is kept. */
  delete(wallet: WalletIdentity, requestId: string): Promise<void>;
}
