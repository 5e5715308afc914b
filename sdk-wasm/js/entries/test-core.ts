import type { coreHost } from '../wallet/core-host.js';
import type { ConnectionState } from '../wallet/events.js';
import { TestRequests } from './test-requests.js';

/** What a wallet is told by its core. */
export type Host = ReturnType<typeof coreHost>;

const LOST = 'the connection was lost (close code 1006)';

/** Stands for a wallet's WebAssembly: connects at once and to nothing, and has its requests from a test. */
export class TestCore {
  readonly host: Host;
  readonly requests: TestRequests;
  /** Whether there is a server to be reached. */
  readonly #isOnline: () => boolean;
  #state: ConnectionState = 'idle';

  constructor(host: Host, isOnline: () => boolean) {
    this.host = host;
    this.requests = new TestRequests(host);
    this.#isOnline = isOnline;
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  connect(): void {
    if (this.#state === 'connected') return;
    this.#tell('connecting');
    if (!this.#isOnline()) return this.lose();
    this.#tell('introducing');
    this.#tell('connected', 0, 'test');
  }

  /** Loses the connection. */
  lose(): void {
    if (this.#state !== 'idle' && this.#state !== 'closed') this.#tell('reconnecting', 1_000, '', 'connection_lost', LOST);
  }

  /** The connection can be had again. */
  restoreConnection(): void {
    if (this.#state === 'reconnecting') this.connect();
  }

  close(): void {
    if (this.#state === 'idle' || this.#state === 'closed') return;
    this.requests.endAll('closed');
    this.#tell('closed');
  }

  approve(id: string, approvedBy: string): void {
    this.requests.approve(id, approvedBy);
  }

  reject(id: string, code: string, reason: string | undefined, scope: string): void {
    this.requests.reject(id, code, reason, scope);
  }

  displayed(id: string): void {
    this.requests.displayed(id);
  }

  /** Says nothing to anybody: no server asks which device this is. */
  identify(): void {}

  wake(): void {}

  #tell(state: ConnectionState, retryInMs = 0, connectionId = '', code = '', message = ''): void {
    this.#state = state;
    this.host.state(state, retryInMs, connectionId, code, message);
  }
}
