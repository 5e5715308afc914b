import { type Bytes, isBytes } from '../common/bytes.js';
import { type Emitter, report } from '../common/emitter.js';
import { CountersignError, reasonOf } from '../common/errors.js';
import type { CoreWallet } from '../core.js';
import { signatureOf } from '../keys/signature.js';
import type { Signer } from '../keys/signer.js';
import type { WebSocketConstructor } from '../platform/platform.js';
import type { Outcome } from '../requests/request.js';
import type { StoreQueue } from '../storage/store-queue.js';
import type { ConnectionState, FrameEvent, StateEvent, WalletEvents } from './events.js';
import type { Prompts } from './prompts.js';
import { Socket } from './socket.js';
import { Timer } from './timer.js';

/** Who is told what. */
export interface CoreHostParts {
  core(): CoreWallet;
  /** What is dialled for each audience. */
  readonly urls: ReadonlyMap<string, string>;
  readonly webSocket: WebSocketConstructor;
  readonly key: Signer;
  readonly publicKey: string;
  readonly emitter: Emitter<WalletEvents>;
  readonly prompts: Prompts;
  readonly storeQueue: StoreQueue | undefined;
  tell(event: StateEvent): void;
  /** The error as the wallet's owner is told it, who dialled this audience last. */
  explainError(code: string, message: string, audience: string): CountersignError;
}

/** What the core calls. It may be in the midst of any call into the core. An empty text stands for one that is not there. */
export function coreHost({ core, urls, webSocket, key, publicKey, emitter, prompts, storeQueue, tell, explainError }: CoreHostParts) {
  let dialled = '';
  const errorOf = (code: string, message: string) => (code === '' ? undefined : explainError(code, message, dialled));
  const show = (direction: FrameEvent['direction'], text: string) => {
    if (emitter.has('frame')) emitter.emit('frame', { direction, type: typeOf(text), text });
  };
  const socket = new Socket({ core, webSocket, show });
  const timer = new Timer(() => core().wake());
  return reportingErrors({
    dial(audience: string, subprotocol: string, longest: number) {
      dialled = audience;
      socket.dial(urls.get(audience) as string, subprotocol, longest);
    },
    send: (text: string) => socket.send(text),
    hangUp: (code: number) => socket.hangUp(code),
    wakeIn: (ms: number) => timer.set(ms),
    sign(task: number, bytes: Uint8Array) {
      const signed = (signature: Uint8Array) => core().signed(task, signature);
      const failed = (error: unknown) => core().sign_failed(task, error instanceof CountersignError ? error.code : '', reasonOf(error));
      try {
        const signature = signatureOf(key, publicKey, bytes);
        if (isBytes(signature)) signed(signature);
        else void signature.then(signed, failed);
      } catch (error) {
        failed(error);
      }
    },
    state(state: ConnectionState, retryInMs: number, connectionId: string, code: string, message: string) {
      const error = errorOf(code, message);
      tell({
        state,
        ...(state === 'reconnecting' && { retryInMs }),
        ...(state === 'connected' && { connectionId }),
        ...(error !== undefined && { error }),
      } as object as StateEvent);
    },
    request(
      id: string,
      message: Bytes,
      requester: string,
      purpose: string,
      attempt: number,
      expiresInMs: number,
      resumed: boolean,
      more: boolean,
      batchId: string,
      index: number,
      size: number,
    ) {
      const batch = batchId === '' ? undefined : { id: batchId, index, size };
      return prompts.add({ id, message, requester, purpose: purpose || undefined, attempt, expiresInMs, resumed, batch }, more);
    },
    repeated: (id: string, attempt: number, expiresInMs: number) => prompts.repeated(id, attempt, expiresInMs),
    answered: (id: string) => prompts.answered(id),
    ended: (id: string, state: Outcome['state'], code: string, message: string) => prompts.ended(id, state, errorOf(code, message)),
    error: (code: string, message: string) => emitter.emit('error', explainError(code, message, dialled)),
    store(task: number, id: string, record: string, expiresInMs: number, durable: boolean) {
      storeQueue?.put(task, { id, expiresAt: Date.now() + expiresInMs, durable, record });
    },
    forget: (task: number, id: string) => storeQueue?.delete(task, id),
  });
}

/** The same methods, none of which throws: the core is left in the midst of things by what comes through it. */
function reportingErrors<T extends Record<string, (...given: never[]) => unknown>>(host: T): T {
  const safe =
    (call: (...given: never[]) => unknown) =>
    (...given: never[]) => {
      try {
        return call(...given);
      } catch (error) {
        return report(error);
      }
    };
  return Object.fromEntries(Object.entries(host).map(([name, call]) => [name, safe(call)])) as T;
}

function typeOf(text: string): string {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && 'type' in frame ? String(frame.type) : '';
  } catch {
    return '';
  }
}
