import type { WalletIdentity } from './wallet-store.js';

/**
 * Where the policies of wallets are kept.
 *
 * @example
 * ```ts
 * import type { PolicyStore } from 'countersign';
 *
 * const policyStore: PolicyStore = {
 *   async updatePolicies({ publicKey, audience }, change) {
 *     await database.transaction(async (rows) => {     // no other change may come between reading and writing
 *       const changed = change(await rows.get(`${audience} ${publicKey}`));
 *       if (changed !== undefined) await rows.set(`${audience} ${publicKey}`, changed);
 *     });
 *   },
 * };
 * ```
 */
export interface PolicyStore {
  /**
   * Puts what `change` makes of what is kept of a wallet in its place, in one transaction, and resolves once that is safely on disk.
   * `change` is to be called once, with `undefined` where nothing is kept; what it answers is at most 320,000 characters, or
   * `undefined` where all stays as it is. Policies are counted by this: where two change at once, one comes after the other.
   */
  updatePolicies(wallet: WalletIdentity, change: (kept: string | undefined) => string | undefined): Promise<void>;
}

/** Keeps policies until the page or process ends. */
export class MemoryPolicyStore implements PolicyStore {
  readonly #kept = new Map<string, string>();

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'MemoryPolicyStore';
  }

  async updatePolicies({ publicKey, audience }: WalletIdentity, change: (kept: string | undefined) => string | undefined): Promise<void> {
    const wallet = `${publicKey} ${audience}`;
    const changed = change(this.#kept.get(wallet));
    if (changed !== undefined) this.#kept.set(wallet, changed);
  }
}
