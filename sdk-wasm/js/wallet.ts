import { address } from './address.js';
import { SignBatch } from './batch.js';
import type { CoreWallet } from './core.js';
import type { ElsewhereRequest } from './elsewhere.js';
import { Emitter } from './emitter.js';
import { CountersignError, guarded, reasonOf } from './errors.js';
import { Keeper } from './keeper.js';
import { makeCoreWallet } from './key.js';
import { answered, ended, repeated, SignRequest, type Actions, type RequestState } from './request.js';
import { here, type WebSocketConstructor } from './runtime.js';
import { publicKeyOf, signatureOf, type Signer } from './signer.js';
import type { WalletStore } from './store.js';
import { Tabs, type Neighbourhood } from './tabs.js';

/** Which of the devices that hold one key this is. */
export interface Device {
  /** Stable over reconnects; at most 64 bytes. */
  id: string;
  /** For people; at most 64 bytes. */
  label: string;
}

/** How a wallet is set up. */
export interface WalletOptions {
  /**
   * The key it signs with: of `openKey()`, a {@link Key}, or any {@link Signer}. It stays the caller's: closing the wallet does
   * not free it.
   */
  key: Signer;
  /** The server's WebSocket address; http and https stand for ws and wss. In a page, `/ws` of its own origin unless given. */
  url?: string | URL;
  /** Which device this is; an id that is kept in the store, or else random, and the browser's name unless given. */
  device?: Device;
  /**
   * Where to keep what was shown and answered, so that a human is asked once, whatever crashes. In a browser its IndexedDB unless
   * given, elsewhere nothing outlives the process unless given. `false` keeps nothing.
   */
  store?: WalletStore | false;
  /**
   * Whether only one tab at a time connects this key to this server, and another takes over when that one closes (`one`, the
   * default where the browser has Web Locks), or each tab does and asks (`each`).
   */
  tabs?: 'one' | 'each';
  /** What tabs have in common, in place of the browser's. @internal */
  neighbourhood?: Neighbourhood;
  /** The WebSocket to use; the platform's own unless given. */
  WebSocket?: WebSocketConstructor;
  /** The longest wait before the first reconnect (1,000) and before any (30,000), in milliseconds. */
  backoff?: { initialMs?: number; maxMs?: number };
}

/**
 * The name of a connection's state. `standby`: another tab has this wallet connected, and this one takes over when that one
 * closes.
 */
export type ConnectionState = 'idle' | 'standby' | 'connecting' | 'introducing' | 'connected' | 'reconnecting' | 'closed';

/** A change of the connection's state. */
export interface StateEvent {
  state: ConnectionState;
  /** With `reconnecting`: milliseconds until the next try. */
  retryInMs?: number;
  /** With `connected`: the server's name for the connection. */
  connectionId?: string;
  /** With `reconnecting` and `closed`: why; absent where `close()` was called. */
  error?: CountersignError;
}

/** A frame on the wire, for logs. */
export interface FrameEvent {
  direction: 'in' | 'out';
  /** The frame's type; empty where the text is no frame. */
  type: string;
  /** The frame as it stands on the wire. It holds the message to be signed. */
  text: string;
}

/** The events of a wallet, by name. */
export interface WalletEvents {
  /** The connection's state changed. */
  state: StateEvent;
  /** A request to show, told once. While nobody listens, requests are declined in the name of this device. */
  request: SignRequest;
  /**
   * Several requests to show in one prompt, told once. While nobody listens to this, they are told one by one as `request`.
   */
  batch: SignBatch;
  /** What another tab has open has changed; the same list as `wallet.elsewhere`. */
  elsewhere: readonly ElsewhereRequest[];
  /** Something went wrong that the wallet itself can live with. */
  error: CountersignError;
  /** A frame came or went. Only made while somebody listens. */
  frame: FrameEvent;
}

interface Waiter {
  resolve(): void;
  reject(error: CountersignError): void;
}

/**
 * Keeps a key reachable: connects to a server, proves the key, reconnects when the connection is lost, and hands over the
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
export class Wallet implements Disposable {
  /** The public key it answers for, in base64. */
  readonly publicKey: string;

  readonly #core: CoreWallet;
  readonly #emitter = new Emitter<WalletEvents>();
  readonly #requests = new Map<string, SignRequest>();
  readonly #waiters = new Set<Waiter>();
  readonly #actions: Actions;
  readonly #keeper: Keeper | undefined;
  readonly #tabs: Tabs | undefined;
  readonly #device: Device;
  readonly #hasOwnId: boolean;
  /** The requests of a prompt that is not complete. */
  readonly #asked: SignRequest[] = [];
  /** From `connect()` to the end of connecting. */
  #connecting: AbortController | undefined;
  #elsewhere: readonly ElsewhereRequest[] = Object.freeze([]);
  #state: ConnectionState = 'idle';

  /** @throws {CountersignError} `invalid_key`, `wasm_not_loaded`, `invalid_url`, `invalid_device`, `no_websocket` */
  constructor(options: WalletOptions) {
    const { key, url: given, device, WebSocket, backoff, store, tabs } = options ?? {};
    const publicKey = publicKeyOf(key);
    const { url, audience } = address(given);
    const webSocket = WebSocket ?? here().webSocket();
    if (webSocket === undefined) {
      throw new CountersignError('no_websocket', "No WebSocket here: pass one with new Wallet({ WebSocket: … }), such as the package 'ws'.");
    }
    this.publicKey = publicKey;
    this.#device = { id: device?.id ?? randomId(), label: device?.label ?? here().label() };
    this.#hasOwnId = device?.id !== undefined;
    const kept = store ?? here().store;
    const identity = { publicKey, audience };
    this.#keeper = kept ? new Keeper(kept, identity, (task, error) => core.stored(task, error)) : undefined;
    const neighbourhood = tabs === 'each' ? undefined : options.neighbourhood ?? here().tabs();
    this.#tabs = neighbourhood && new Tabs(
      `countersign:${audience}:${publicKey}`, neighbourhood, () => this.#shareable(), (requests) => this.#hear(requests),
    );
    const settings = {
      webSocket,
      url,
      audience,
      origin: here().origin(),
      deviceId: this.#device.id,
      deviceLabel: this.#device.label,
      backoffInitialMs: backoff?.initialMs ?? 1_000,
      backoffMaxMs: backoff?.maxMs ?? 30_000,
      keeps: this.#keeper !== undefined,
    };
    const core = guarded(() => makeCoreWallet(key, publicKey, settings, this.#host(key)));
    this.#core = core;
    this.#actions = {
      approve: (id, approvedBy) => core.approve(id, approvedBy),
      reject: (id, code, reason, scope) => core.reject(id, code, reason, scope),
      displayed: (id) => core.displayed(id),
    };
  }

  /** The connection's state. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The requests that are not over, in the order they came. */
  get requests(): SignRequest[] {
    return [...this.#requests.values()];
  }

  /** What another tab, which has this wallet connected, has open: to be answered there. Empty where this tab is connected. */
  get elsewhere(): readonly ElsewhereRequest[] {
    return this.#elsewhere;
  }

  /** Calls `listener` at each event of that name, until the function returned is called. */
  on<Name extends keyof WalletEvents>(name: Name, listener: (event: WalletEvents[Name]) => void): () => void {
    const off = this.#emitter.on(name, listener);
    if (name === 'frame') this.#core.show_frames(true);
    return () => {
      off();
      if (name === 'frame') this.#core.show_frames(this.#emitter.has('frame'));
    };
  }

  /**
   * Connects, and from then on reconnects by itself until `close()`. Resolves at the first welcome, or with state `standby` where
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
    const welcomed = new Promise<void>((resolve, reject) => this.#waiters.add({ resolve, reject }));
    signal?.addEventListener('abort', onAbort);
    try {
      if (this.#connecting === undefined) {
        this.#connecting = new AbortController();
        void this.#begin(this.#connecting.signal);
      }
      await welcomed;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Disconnects and ends all open requests, and lets another tab take over. The key stays as it is, and `connect()` starts anew:
   * what was not decided is then asked again, and an answer that was not acknowledged is sent.
   */
  close(): void {
    this.#core.close();
    if (this.#connecting === undefined) return;
    // The core does not know of a tab that waited its turn.
    this.#tell({ state: 'closed' });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Takes its turn among the tabs, looks up what was kept, and connects. */
  async #begin(signal: AbortSignal): Promise<void> {
    if (this.#tabs !== undefined) {
      // Where there can be no lock, as in a sandboxed frame, it is connected without.
      await this.#tabs.lead(signal, () => this.#tell({ state: 'standby' })).catch(() => {});
      if (signal.aborted) return;
    }
    if (this.#keeper !== undefined) {
      this.#tell({ state: 'connecting' });
      await this.#restore(this.#keeper, signal);
      if (signal.aborted) return;
    }
    this.#core.connect();
  }

  async #restore(keeper: Keeper, signal: AbortSignal): Promise<void> {
    try {
      const { deviceId, requests } = await keeper.load(this.#device.id);
      if (signal.aborted) return;
      for (const { id, record, expiresAt } of [...requests].sort((one, other) => one.expiresAt - other.expiresAt)) {
        if (!this.#core.restore(record, expiresAt - Date.now())) keeper.delete(NO_TASK, id);
      }
      if (!this.#hasOwnId) guarded(() => this.#core.identify(deviceId, this.#device.label));
    } catch (error) {
      this.#emitter.emit('error', error instanceof CountersignError ? error : new CountersignError('storage_unavailable', String(error)));
    }
  }

  /** What the core calls. It may be in the midst of any call into the core. */
  #host(key: Signer) {
    return {
      ignore() {},
      sign: (task: number, bytes: Uint8Array) => {
        void signatureOf(key, bytes).then(
          (signature) => this.#core.signed(task, signature),
          (error: unknown) => this.#core.sign_failed(task, reasonOf(error)),
        );
      },
      state: (state: ConnectionState, retryInMs?: number, connectionId?: string, code?: string, message?: string) => {
        const error = errorOf(code, message);
        // Reading the store was the beginning of connecting.
        if (state === 'connecting' && this.#state === 'connecting') return;
        this.#tell({
          state,
          ...(retryInMs !== undefined && { retryInMs }),
          ...(connectionId !== undefined && { connectionId }),
          ...(error !== undefined && { error }),
        });
      },
      request: (
        id: string, message: Uint8Array, requester: string, purpose: string | undefined, attempt: number, expiresInMs: number,
        resumed: boolean, more: boolean, batchId: string | undefined, index: number, size: number,
      ) => {
        const batch = batchId === undefined ? undefined : { id: batchId, index, size };
        const request = SignRequest.create({ id, message, requester, purpose, attempt, expiresInMs, resumed, batch }, this.#actions);
        this.#requests.set(id, request);
        this.#asked.push(request);
        if (!more) this.#ask(this.#asked.splice(0));
      },
      repeated: (id: string, attempt: number, expiresInMs: number) => {
        const request = this.#requests.get(id);
        if (request !== undefined) repeated(request, attempt, expiresInMs);
        this.#tabs?.announce();
      },
      answered: (id: string) => {
        const request = this.#requests.get(id);
        if (request !== undefined) answered(request);
        this.#tabs?.announce();
      },
      ended: (id: string, state: RequestState, code?: string, message?: string) => {
        const request = this.#requests.get(id);
        this.#requests.delete(id);
        if (request !== undefined) ended(request, state, errorOf(code, message));
        this.#tabs?.announce();
      },
      error: (code: string, message: string) => this.#emitter.emit('error', new CountersignError(code, message)),
      frame: (direction: 'in' | 'out', text: string) => this.#emitter.emit('frame', { direction, type: typeOf(text), text }),
      store: (task: number, id: string, record: string, expiresInMs: number, durable: boolean) => {
        this.#keeper?.put(task, { id, expiresAt: Date.now() + expiresInMs, durable, record });
      },
      forget: (task: number, id: string) => this.#keeper?.delete(task, id),
    };
  }

  /** Hands over the requests of one prompt. */
  #ask(requests: SignRequest[]): void {
    this.#tabs?.announce();
    const place = requests[0]?.batch;
    const isBatch = place !== undefined && (requests.length > 1 || !this.#emitter.has('request'));
    if (isBatch && this.#emitter.has('batch')) return this.#emitter.emit('batch', SignBatch.create(place.id, requests));
    for (const request of requests) {
      if (this.#emitter.has('request')) {
        this.#emitter.emit('request', request);
      } else if (request.state === 'open') {
        this.#actions.reject(request.id, 'policy_rejected', 'nothing here shows requests to anybody', 'device');
      }
    }
  }

  #tell(event: StateEvent): void {
    const { state, error } = event;
    this.#state = state;
    if (state === 'closed') this.#finish();
    this.#settle(state, error);
    this.#emitter.emit('state', event);
  }

  /** Leaves the wallet to other tabs, once all is written that they have to know. */
  #finish(): void {
    this.#connecting?.abort();
    this.#connecting = undefined;
    void this.#tabs?.leave(this.#keeper?.settled() ?? Promise.resolve());
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
    return this.requests.map(({ id, requester, purpose, expiresAt, state }) =>
      ({ id, requester: { name: requester.name }, purpose, expiresAt, state: state === 'open' ? state : 'answered' }));
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

function errorOf(code: string | undefined, message: string | undefined): CountersignError | undefined {
  return code === undefined ? undefined : new CountersignError(code, message ?? code);
}

function typeOf(text: string): string {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && 'type' in frame ? String(frame.type) : '';
  } catch {
    return '';
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
