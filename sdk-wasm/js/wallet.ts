import { address, origin } from './address.js';
import { CoreWallet } from './core.js';
import { Emitter } from './emitter.js';
import { CountersignError, guarded } from './errors.js';
import { coreOf, type Key } from './key.js';
import { answered, ended, repeated, SignRequest, type Actions, type RequestState } from './request.js';
import { here, type WebSocketConstructor } from './runtime.js';

/** Which of the devices that hold one key this is. */
export interface Device {
  /** Stable over reconnects; at most 64 bytes. */
  id: string;
  /** For people; at most 64 bytes. */
  label: string;
}

/** How a wallet is set up. */
export interface WalletOptions {
  /** The key it signs with. It stays the caller's: closing the wallet does not free it. */
  key: Key;
  /** The server's WebSocket address; http and https stand for ws and wss. In a page, `/ws` of its own origin unless given. */
  url?: string | URL;
  /** Which device this is; a random id and the browser's name unless given. */
  device?: Device;
  /** The WebSocket to use; the platform's own unless given. */
  WebSocket?: WebSocketConstructor;
  /** The longest wait before the first reconnect (1,000) and before any (30,000), in milliseconds. */
  backoff?: { initialMs?: number; maxMs?: number };
}

/** The name of a connection's state. */
export type ConnectionState = 'idle' | 'connecting' | 'introducing' | 'connected' | 'reconnecting' | 'closed';

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
 */
export class Wallet implements Disposable {
  /** The public key it answers for, in base64. */
  readonly publicKey: string;

  readonly #core: CoreWallet;
  readonly #emitter = new Emitter<WalletEvents>();
  readonly #requests = new Map<string, SignRequest>();
  readonly #waiters = new Set<Waiter>();
  readonly #actions: Actions;
  #state: ConnectionState = 'idle';

  /** @throws {CountersignError} `invalid_key`, `invalid_url`, `invalid_device`, `no_websocket` */
  constructor(options: WalletOptions) {
    const { key, url: given, device, WebSocket, backoff } = options ?? {};
    const coreKey = coreOf(key);
    const { url, audience } = address(given);
    const webSocket = WebSocket ?? here().webSocket();
    if (webSocket === undefined) {
      throw new CountersignError('no_websocket', "No WebSocket here: pass one with new Wallet({ WebSocket: … }), such as the package 'ws'.");
    }
    const settings = {
      webSocket,
      url,
      audience,
      origin: origin(),
      deviceId: device?.id ?? randomId(),
      deviceLabel: device?.label ?? here().label(),
      backoffInitialMs: backoff?.initialMs ?? 1_000,
      backoffMaxMs: backoff?.maxMs ?? 30_000,
    };
    const core = guarded(() => new CoreWallet(coreKey, settings, this.#host()));
    this.#core = core;
    this.#actions = {
      approve: (id, approvedBy) => core.approve(id, approvedBy),
      reject: (id, code, reason, scope) => core.reject(id, code, reason, scope),
      displayed: (id) => core.displayed(id),
    };
    this.publicKey = key.publicKey;
  }

  /** The connection's state. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The requests that are not over, in the order they came. */
  get requests(): SignRequest[] {
    return [...this.#requests.values()];
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
   * Connects, and from then on reconnects by itself until `close()`. Resolves at the first welcome.
   *
   * @throws {CountersignError} where trying again would be in vain, such as `proof_invalid`, `key_refused`, `dial_refused`,
   *   `superseded`; `closed` if the wallet is closed meanwhile; `aborted` if `signal` aborts, which closes the wallet.
   */
  async connect(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) throw aborted(signal);
    if (this.#state === 'connected') return;
    const onAbort = () => {
      this.#settle('closed', aborted(signal));
      this.close();
    };
    const welcomed = new Promise<void>((resolve, reject) => this.#waiters.add({ resolve, reject }));
    signal?.addEventListener('abort', onAbort);
    try {
      this.#core.connect();
      await welcomed;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Disconnects and ends all open requests. The key stays as it is, and `connect()` starts anew. */
  close(): void {
    this.#core.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What the core calls. It may be in the midst of any call into the core. */
  #host() {
    return {
      ignore() {},
      state: (state: ConnectionState, retryInMs?: number, connectionId?: string, code?: string, message?: string) => {
        const error = errorOf(code, message);
        this.#state = state;
        this.#settle(state, error);
        this.#emitter.emit('state', {
          state,
          ...(retryInMs !== undefined && { retryInMs }),
          ...(connectionId !== undefined && { connectionId }),
          ...(error !== undefined && { error }),
        });
      },
      request: (id: string, message: Uint8Array, requester: string, purpose: string | undefined, attempt: number, expiresInMs: number) => {
        const request = SignRequest.create({ id, message, requester, purpose, attempt, expiresInMs }, this.#actions);
        this.#requests.set(id, request);
        if (this.#emitter.has('request')) {
          this.#emitter.emit('request', request);
        } else {
          this.#actions.reject(id, 'policy_rejected', 'nothing here shows requests to anybody', 'device');
        }
      },
      repeated: (id: string, attempt: number, expiresInMs: number) => {
        const request = this.#requests.get(id);
        if (request !== undefined) repeated(request, attempt, expiresInMs);
      },
      answered: (id: string) => {
        const request = this.#requests.get(id);
        if (request !== undefined) answered(request);
      },
      ended: (id: string, state: RequestState, code?: string, message?: string) => {
        const request = this.#requests.get(id);
        this.#requests.delete(id);
        if (request !== undefined) ended(request, state, errorOf(code, message));
      },
      error: (code: string, message: string) => this.#emitter.emit('error', new CountersignError(code, message)),
      frame: (direction: 'in' | 'out', text: string) => this.#emitter.emit('frame', { direction, type: typeOf(text), text }),
    };
  }

  #settle(state: ConnectionState, error: CountersignError | undefined): void {
    if (state !== 'connected' && state !== 'closed') return;
    for (const waiter of this.#waiters) {
      if (state === 'connected') waiter.resolve();
      else waiter.reject(error ?? new CountersignError('closed', 'the wallet was closed'));
    }
    this.#waiters.clear();
  }
}

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
