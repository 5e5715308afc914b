import type { CoreWallet } from './core.js';
import type { Emitter } from './emitter.js';
import { CountersignError, reasonOf } from './errors.js';
import type { ConnectionState, StateEvent, WalletEvents } from './events.js';
import type { Keeper } from './keeper.js';
import type { Prompts } from './prompts.js';
import type { RequestState } from './request.js';
import { signatureOf } from './signature.js';
import type { Signer } from './signer.js';

/** Who is told what. */
export interface HostParts {
  core(): CoreWallet;
  readonly key: Signer;
  readonly publicKey: string;
  readonly emitter: Emitter<WalletEvents>;
  readonly prompts: Prompts;
  readonly keeper: Keeper | undefined;
  tell(event: StateEvent): void;
  /** The error as the wallet's owner is told it. */
  explain(code: string, message: string): CountersignError;
}

/** What the core calls. It may be in the midst of any call into the core. */
export function hostOf({ core, key, publicKey, emitter, prompts, keeper, tell, explain }: HostParts) {
  const errorOf = (code: string | undefined, message: string | undefined) => (code === undefined ? undefined : explain(code, message ?? code));
  return {
    ignore() {},
    sign(task: number, bytes: Uint8Array) {
      const signed = (signature: Uint8Array) => core().signed(task, signature);
      const failed = (error: unknown) => core().sign_failed(task, error instanceof CountersignError ? error.code : '', reasonOf(error));
      try {
        const signature = signatureOf(key, publicKey, bytes);
        if (signature instanceof Uint8Array) signed(signature);
        else void signature.then(signed, failed);
      } catch (error) {
        failed(error);
      }
    },
    state(state: ConnectionState, retryInMs?: number, connectionId?: string, code?: string, message?: string) {
      const error = errorOf(code, message);
      tell({
        state,
        ...(retryInMs !== undefined && { retryInMs }),
        ...(connectionId !== undefined && { connectionId }),
        ...(error !== undefined && { error }),
      });
    },
    request(
      id: string, message: Uint8Array, requester: string, purpose: string | undefined, attempt: number, expiresInMs: number,
      resumed: boolean, more: boolean, batchId: string | undefined, index: number, size: number,
    ) {
      const batch = batchId === undefined ? undefined : { id: batchId, index, size };
      prompts.add({ id, message, requester, purpose, attempt, expiresInMs, resumed, batch }, more);
    },
    repeated: (id: string, attempt: number, expiresInMs: number) => prompts.repeated(id, attempt, expiresInMs),
    answered: (id: string) => prompts.answered(id),
    ended: (id: string, state: RequestState, code?: string, message?: string) => prompts.ended(id, state, errorOf(code, message)),
    error: (code: string, message: string) => emitter.emit('error', explain(code, message)),
    frame: (direction: 'in' | 'out', text: string) => emitter.emit('frame', { direction, type: typeOf(text), text }),
    store(task: number, id: string, record: string, expiresInMs: number, durable: boolean) {
      keeper?.put(task, { id, expiresAt: Date.now() + expiresInMs, durable, record });
    },
    forget: (task: number, id: string) => keeper?.delete(task, id),
  };
}

function typeOf(text: string): string {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && 'type' in frame ? String(frame.type) : '';
  } catch {
    return '';
  }
}
