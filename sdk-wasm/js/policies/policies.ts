import { Emitter } from '../common/emitter.js';
import { CountersignError, reasonOf } from '../common/errors.js';
import { randomId } from '../common/random-id.js';
import { withTimeout } from '../common/timeout.js';
import { describe } from '../messages/describe.js';
import type { SignRequest } from '../requests/request.js';
import type { PolicyStore } from '../storage/policy-store.js';
import type { WalletIdentity } from '../storage/wallet-store.js';
import { isLive, type Policy, type PolicyRule, policyOf, type Subject, spend } from './policy.js';
import { MOST_POLICIES, readPolicies, writePolicies } from './policy-record.js';

/** How long somebody who changes the policies waits for the store. */
const STORE_TIMEOUT_MS = 5_000;

/** How long a request waits for it. Then a human is asked. */
const PROMPT_PATIENCE_MS = 1_000;

/**
 * What the human has allowed in advance, for one key and one server. A request that a policy matches is signed without asking, and
 * the wallet tells so by `approved`.
 *
 * A policy trusts the server: it is the server's operator who says which backend has which name.
 *
 * @example
 * ```js
 * const { id } = await wallet.policies.grant({ requester: 'Example Shop', pattern: 'Sign in to Example Shop, code *', uses: 20, expiresInMs: 8 * 60 * 60 * 1000 });
 * render(await wallet.policies.list());
 * await wallet.policies.revoke(id);
 * ```
 */
export class Policies {
  readonly #store: PolicyStore;
  readonly #wallet: WalletIdentity;
  readonly #changed: () => void;
  readonly #emitter = new Emitter<{ change: readonly Policy[] }>();

  private constructor(store: PolicyStore, wallet: WalletIdentity, changed: () => void) {
    this.#store = store;
    this.#wallet = wallet;
    this.#changed = changed;
  }

  /** @internal */
  static create(store: PolicyStore, wallet: WalletIdentity, changed: () => void): Policies {
    return new Policies(store, wallet, changed);
  }

  /** Vue, and what has its reactivity from it, makes no proxy of what has a tag of its own: private members do not work through one. @internal */
  get [Symbol.toStringTag](): string {
    return 'Policies';
  }

  /**
   * Those that can still approve something, in the order they were granted.
   *
   * @throws {CountersignError} `storage_failed`
   */
  list(): Promise<readonly Policy[]> {
    return this.#change((policies) => ({ result: policies }));
  }

  /**
   * Grants a rule. Only the human may have this called: from now on nobody is asked about what it matches.
   *
   * @throws {CountersignError} `invalid_policy`, also where there are 100 already; `storage_failed`
   */
  async grant(rule: PolicyRule): Promise<Policy> {
    const policy = policyOf(rule, randomId(), Date.now());
    const hasRoom = await this.#change((policies) =>
      policies.length < MOST_POLICIES ? { policies: [...policies, policy], result: true } : { result: false },
    );
    if (!hasRoom) throw new CountersignError('invalid_policy', `There are ${MOST_POLICIES} policies already: revoke one first.`);
    return policy;
  }

  /**
   * Takes a policy back. Once this resolves it approves nothing any more, in any tab. False where there is none of this id.
   *
   * @throws {CountersignError} `storage_failed`
   */
  revoke(id: string): Promise<boolean> {
    return this.#change((policies) => {
      const others = policies.filter((policy) => policy.id !== id);
      return others.length < policies.length ? { policies: others, result: true } : { result: false };
    });
  }

  /** Calls `listener` with the list whenever it changes, also by another tab, until the function returned is called. */
  on(event: 'change', listener: (policies: readonly Policy[]) => void): () => void {
    return this.#emitter.on(event, listener);
  }

  /**
   * Takes the uses that approving all of these needs, before anything is signed: a crash may waste a use, and nothing exceeds it.
   * Resolves with the policy for each, or undefined where a human is to be asked.
   *
   * @throws {CountersignError} `storage_failed`
   * @internal
   */
  async spend(requests: readonly SignRequest[]): Promise<readonly Policy[] | undefined> {
    // Somebody may have seen it before and thought about it: that is theirs to go on with.
    if (requests.some((request) => request.resumed)) return undefined;
    return this.#change((policies) => {
      if (policies.length === 0) return { result: undefined };
      const subjects = requests.map(subjectOf);
      const spent = spend(policies, subjects, Date.now());
      return spent === undefined ? { result: undefined } : { policies: spent.policies, result: spent.by };
    }, PROMPT_PATIENCE_MS);
  }

  /** Another tab has changed them. @internal */
  reread(): void {
    if (this.#emitter.has('change'))
      this.list().then(
        (policies) => this.#emitter.emit('change', policies),
        () => {},
      );
  }

  /** Has `change` look at the policies that live, and keeps those it answers, if any, in one transaction. */
  async #change<T>(change: (policies: Policy[]) => { policies?: Policy[]; result: T }, timeoutMs = STORE_TIMEOUT_MS): Promise<T> {
    let changed: { policies?: Policy[]; result: T } | undefined;
    let isLate = false;
    const update = async () =>
      this.#store.updatePolicies(this.#wallet, (kept) => {
        // Whoever asked has gone on without.
        if (isLate) return undefined;
        changed = change(readPolicies(kept).filter((policy) => isLive(policy, Date.now())));
        return changed.policies && writePolicies(changed.policies);
      });
    try {
      await withTimeout(update(), timeoutMs);
      if (changed === undefined) throw new TypeError('the store has not called back');
    } catch (cause) {
      isLate = true;
      throw new CountersignError('storage_failed', `The policies could not be read or written: ${reasonOf(cause)}`, { cause });
    }
    const { policies, result } = changed as { policies?: Policy[]; result: T };
    if (policies !== undefined) {
      this.#emitter.emit(
        'change',
        policies.filter((policy) => isLive(policy, Date.now())),
      );
      this.#changed();
    }
    return result;
  }
}

function subjectOf({ requester, message }: SignRequest): Subject {
  const { kind, text, warnings } = describe(message);
  // That it is long matters to who reads it; a rule for what is blind knows that it is.
  const isDoubtful = warnings.some(({ code }) => code !== 'long' && code !== 'blind');
  return { requester: requester.name, kind, message, text, isDoubtful };
}
