/// <reference lib="esnext.disposable" preserve="true" />
import { Emitter, report } from '../common/emitter.js';
import { CountersignError, callCore, type ErrorCode, reasonOf } from '../common/errors.js';
import { randomId } from '../common/random-id.js';
import { CoreWallet } from '../core.js';
import { publicKeyOf } from '../keys/signer.js';
import { platform } from '../platform/platform.js';
import { checkLoaded } from '../platform/wasm.js';
import { Policies } from '../policies/policies.js';
import type { SignRequest } from '../requests/request.js';
import { MemoryPolicyStore } from '../storage/policy-store.js';
import { StoreQueue } from '../storage/store-queue.js';
import { coreHost } from './core-host.js';
import type { ConnectionState, StateEvent, WalletEvents } from './events.js';
import { explainError } from './explain-error.js';
import { nodesOf } from './nodes.js';
import type { Device, WalletOptions } from './options.js';
import type { ElsewhereRequest } from './other-tabs.js';
import { overridesByKey } from './overrides.js';
import { Prompts } from './prompts.js';
import { Tabs } from './tabs.js';

interface Waiter {
  resolve(): void;
  reject(error: CountersignError): void;
}

/**
 * Keeps a key reachable: connects to a server, or to one of its nodes, proves the key, reconnects when the connection is lost, and hands over the
 * requests that come in.
 *
 * @example
 * ```js
 * const wallet = new Wallet({ key, url: 'wss://sign.example.com/ws' });
 * wallet.on('request', async (request) => {
 *   request.displayed();
 *   if (confirm(new TextDecoder().decode(request.message))) await request.approve();
 *   else await request.reject();
 * });
 * await wallet.connect();
 * ```
 */
export class Wallet {
  /** The public key it answers for, in base64. */
  readonly publicKey: string;
  /** What the human has allowed in advance. */
  readonly policies: Policies;

  readonly #core: CoreWallet;
  readonly #emitter: Emitter<WalletEvents> = new Emitter<WalletEvents>((error, name) => {
    if (name === 'error' || !this.#emitter.has('error')) return report(error);
    const message = `a listener for '${name}' failed: ${reasonOf(error)}`;
    this.#emitter.emit('error', new CountersignError('listener_failed', message, { cause: error }));
  });
  readonly #prompts: Prompts;
  readonly #waiters = new Set<Waiter>();
  readonly #storeQueue: StoreQueue | undefined;
  readonly #tabs: Tabs | undefined;
  readonly #device: Device;
  readonly #hasOwnId: boolean;
  /** From `connect()` to the end of connecting. */
  #connecting: AbortController | undefined;
  #elsewhere: readonly ElsewhereRequest[] = Object.freeze([]);
  #state: ConnectionState = 'idle';
  /** While the core is closed because another tab goes on. */
  #isHandingOver = false;

  /** @throws {CountersignError} `invalid_key`, `wasm_not_loaded`, `invalid_url`, `invalid_device`, `no_websocket` */
  constructor(options: WalletOptions) {
    const overrides = overridesByKey.get(options?.key);
    const { key, url: given, device, WebSocket, backoff, store, policyStore, tabs } = { ...options, ...overrides?.options };
    const publicKey = publicKeyOf(key);
    // Node.js 20 gets its WebSocket along with the WebAssembly.
    if (overrides === undefined) checkLoaded();
    const { audience, order, urls } = nodesOf(given);
    const webSocket = WebSocket ?? platform().webSocket();
    if (webSocket === undefined) {
      throw new CountersignError(
        'no_websocket',
        "No WebSocket here: pass one with new Wallet({ WebSocket: … }), such as the package 'ws'.",
      );
    }
    this.publicKey = publicKey;
    this.#device = { id: device?.id ?? randomId(), label: device?.label ?? platform().label() };
    this.#hasOwnId = device?.id !== undefined;
    const kept = store ?? platform().store;
    const identity = { publicKey, audience };
    this.#storeQueue = kept ? new StoreQueue(kept, identity, (task, error) => core.stored(task, error)) : undefined;
    const tabGroup = tabs === 'each' ? undefined : (options.tabGroup ?? platform().tabs());
    this.#tabs =
      tabGroup &&
      new Tabs(`countersign:${audience}:${publicKey}`, tabGroup, {
        ownRequests: () => this.#shareable(),
        elsewhere: (requests) => this.#hear(requests),
        policiesChanged: () => this.policies.reread(),
        replaced: () => this.#standBy(),
      });
    const policiesKept = policyStore ?? (store === false ? undefined : platform().store) ?? new MemoryPolicyStore();
    this.policies = Policies.create(policiesKept, identity, () => this.#tabs?.announcePolicies());
    this.#prompts = new Prompts(
      {
        approve: (id, approvedBy) => core.approve(id, approvedBy),
        reject: (id, code, reason, scope) => core.reject(id, code, reason, scope),
        displayed: (id) => core.displayed(id),
      },
      this.policies,
      this.#emitter,
      () => this.#tabs?.announce(),
    );
    const origin = platform().origin();
    const host = coreHost({
      core: () => this.#core,
      urls,
      webSocket,
      key,
      publicKey,
      emitter: this.#emitter,
      prompts: this.#prompts,
      storeQueue: this.#storeQueue,
      // Reading the store was the beginning of connecting.
      tell: (event) => (event.state === 'connecting' && this.#state === 'connecting') || this.#tell(event),
      explainError: (code, message, audience) =>
        this.#isHandingOver
          ? new CountersignError('superseded', 'another tab goes on with this wallet')
          : explainError(code as ErrorCode, message, { audience, origin }, this.#state),
    });
    const core = callCore(() => {
      const [first = '', ...others] = order;
      const core = new (overrides?.Core ?? CoreWallet)(
        publicKey,
        first,
        origin,
        backoff?.initialMs ?? 1_000,
        backoff?.maxMs ?? 30_000,
        this.#storeQueue !== undefined,
        host,
      );
      for (const other of others) core.add_node(other);
      return core;
    });
    this.#core = core;
    this.#identify(this.#device.id);
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'Wallet';
  }

  /** The connection's state. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The requests that were told and are not over, in the order they came. */
  get requests(): SignRequest[] {
    return this.#prompts.list();
  }

  /** What another tab, which has this wallet connected, has open: to be answered there. Empty where this tab is connected. */
  get elsewhere(): readonly ElsewhereRequest[] {
    return this.#elsewhere;
  }

  /** Calls `listener` at each event of that name, until the function returned is called. */
  on<Name extends keyof WalletEvents>(name: Name, listener: (event: WalletEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Connects, and from then on reconnects by itself until `close()`: at the latest when its time has come, and at once when this is called again, the
   * network is back, or somebody looks at the page again. Resolves at the first welcome, or with state `standby` where
   * another tab has this wallet connected.
   *
   * @example
   * ```js
   * await wallet.connect({ signal: AbortSignal.timeout(10_000) });
   * ```
   * @throws {CountersignError} where trying again would be in vain, such as `proof_invalid`, `key_refused`, `dial_refused`,
   *   `superseded`; `closed` if the wallet is closed meanwhile; `aborted` if `signal` aborts, which closes the wallet.
   */
  async connect(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) throw aborted(signal);
    if (this.#state === 'connected' || this.#state === 'standby') return;
    const onAbort = () => {
      this.#settle('closed', aborted(signal));
      this.close();
    };
    const settled = this.#settled();
    signal?.addEventListener('abort', onAbort);
    try {
      if (this.#connecting === undefined) this.#start();
      else this.#hurry();
      await settled;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Has this tab connect and ask, rather than the one that does. What is open there ends there, with `superseded`, and is asked
   * here. It happens by itself where somebody works with this tab while something waits in a hidden one, or while that one does not answer.
   * Where no other tab is connected, this is `connect()`.
   *
   * @throws {CountersignError} as `connect()`.
   */
  async useHere(): Promise<void> {
    if (this.#state !== 'standby') return this.connect();
    const settled = this.#settled();
    this.#tabs?.take();
    return settled;
  }

  /**
   * Disconnects and ends all open requests, and lets another tab take over. The key stays as it is, and `connect()` starts anew:
   * what was not decided is then asked again, and an answer that was not acknowledged is sent.
   */
  close(): void {
    this.#isHandingOver = false;
    this.#core.close();
    if (this.#connecting === undefined) return;
    // The core does not know of a tab that waited its turn.
    this.#tell({ state: 'closed' });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #start(): void {
    const connecting = new AbortController();
    const { signal } = connecting;
    this.#connecting = connecting;
    signal.addEventListener(
      'abort',
      platform().onReturn(() => this.#hurry()),
    );
    void this.#begin(signal);
  }

  /** Takes its turn among the tabs, looks up what was kept, and connects. */
  async #begin(signal: AbortSignal): Promise<void> {
    if (this.#tabs !== undefined) {
      // Where there can be no lock, as in a sandboxed frame, it is connected without.
      await this.#tabs.lead(signal, () => this.#state === 'standby' || this.#tell({ state: 'standby' })).catch(() => {});
      if (signal.aborted) return;
    }
    if (this.#storeQueue !== undefined) {
      this.#tell({ state: 'connecting' });
      await this.#restore(this.#storeQueue, signal);
      if (signal.aborted) return;
    }
    this.#core.connect();
  }

  /** Makes the next try now rather than when its time has come, and sees whether a connection that looks sound still is. */
  #hurry(): void {
    if (this.#state === 'reconnecting') this.#core.connect();
    else if (this.#state === 'connected') this.#core.wake();
    else if (this.#state === 'standby') this.#tabs?.look();
  }

  /** Leaves the connection to another tab, and waits for it to come back. */
  #standBy(): void {
    this.#isHandingOver = true;
    this.#core.close();
    // Whoever was told of an end may have closed it for good.
    if (!this.#isHandingOver) return;
    this.#isHandingOver = false;
    this.#finish();
    this.#start();
    this.#tell({ state: 'standby' });
  }

  async #restore(storeQueue: StoreQueue, signal: AbortSignal): Promise<void> {
    try {
      const { deviceId, requests } = await storeQueue.load(this.#device.id);
      if (signal.aborted) return;
      for (const { id, record, expiresAt } of [...requests].sort((one, other) => one.expiresAt - other.expiresAt)) {
        if (!this.#core.restore(record, expiresAt - Date.now())) storeQueue.delete(NO_TASK, id);
      }
      if (!this.#hasOwnId) this.#identify(deviceId);
    } catch (error) {
      this.#emitter.emit('error', error instanceof CountersignError ? error : new CountersignError('storage_unavailable', String(error)));
    }
  }

  #identify(deviceId: string): void {
    callCore(() => this.#core.identify(deviceId, this.#device.label));
  }

  #tell(event: StateEvent): void {
    const { state, error } = event;
    if (this.#isHandingOver) return;
    this.#state = state;
    if (state === 'closed') this.#finish();
    this.#settle(state, error);
    this.#emitter.emit('state', event);
  }

  /** Leaves the wallet to other tabs, once all is written that they have to know. */
  #finish(): void {
    this.#connecting?.abort();
    this.#connecting = undefined;
    void this.#tabs?.leave(this.#storeQueue?.settled() ?? Promise.resolve());
  }

  /** Resolves or rejects when it is certain whether the wallet is connected, here or in another tab. */
  #settled(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.add({ resolve, reject }));
  }

  #settle(state: ConnectionState, error: CountersignError | undefined): void {
    if (state !== 'connected' && state !== 'standby' && state !== 'closed') return;
    for (const waiter of this.#waiters) {
      if (state === 'closed') waiter.reject(error ?? new CountersignError('closed', 'the wallet was closed'));
      else waiter.resolve();
    }
    this.#waiters.clear();
  }

  /** What other tabs may know of the requests here: not the messages. */
  #shareable(): readonly ElsewhereRequest[] {
    return this.requests.map(({ id, requester, purpose, expiresAt, state }) => ({
      id,
      requester: { name: requester.name },
      purpose,
      expiresAt,
      state: state === 'open' ? state : 'answered',
    }));
  }

  #hear(requests: readonly ElsewhereRequest[]): void {
    if (requests.length === 0 && this.#elsewhere.length === 0) return;
    this.#elsewhere = requests;
    this.#emitter.emit('elsewhere', requests);
  }
}

/** Names no task of the core's. */
const NO_TASK = 0;

function aborted(signal: AbortSignal | undefined): CountersignError {
  return new CountersignError('aborted', 'connecting was aborted', { cause: signal?.reason });
}
