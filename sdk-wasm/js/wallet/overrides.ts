import type { CoreWallet } from '../core.js';
import type { Signer } from '../keys/signer.js';
import type { WalletOptions } from './options.js';

/** What a wallet is made with in place of what it was told. */
export interface Overrides {
  readonly options: Partial<WalletOptions>;
  readonly Core: typeof CoreWallet;
}

/**
 * By the key of a wallet: `countersign/testing` so reaches every wallet that an application makes of a key of its, and all but the core
 * of those is what it always is.
 */
export const overridesByKey = new WeakMap<Signer, Overrides>();
