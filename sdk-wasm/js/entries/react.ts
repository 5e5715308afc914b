import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Signer } from '../keys/signer.js';
import type { WalletOptions } from '../wallet/options.js';
import type { WalletSnapshot } from './shared-wallet.js';
import { WalletSource } from './wallet-source.js';

export type { RequestOutcome, WalletSnapshot } from './shared-wallet.js';

/** How {@link useWallet} sets its wallet up. */
export interface UseWalletOptions extends Omit<WalletOptions, 'key'> {
  /** The key it signs with; nothing happens while there is none, such as until `openKey()` resolves. */
  key: Signer | null | undefined;
  /** Whether it connects by itself, once it is mounted. Yes unless given. */
  autoConnect?: boolean;
}

/** What {@link useWallet} gives. */
export interface WalletView extends WalletSnapshot {
  /** Connects, as `wallet.connect()` does. What it throws is in `error` too. */
  connect(): Promise<void>;
  /** Disconnects until `connect()` is called, for all components that share the wallet. */
  close(): void;
}

/**
 * A wallet for as long as a component is mounted that uses it. Components with the same public key and `url`, or first of several, share one,
 * made with the options of the first; another `key` or `url` makes another. On a server it is `idle` and connects nowhere.
 *
 * @example
 * ```tsx
 * import type { Signer } from 'countersign';
 * import { useWallet } from 'countersign/react';
 *
 * function Prompts({ signer }: { signer: Signer | undefined }) {
 *   const { state, requests, answered, outcomes, error } = useWallet({ key: signer, url: 'wss://sign.example.com/ws' });
 *   const last = outcomes.at(-1);
 *   return (
 *     <section aria-label={state}>
 *       {error && <p role="alert">{error.message}</p>}
 *       {requests.map((request) => <Prompt key={request.id} request={request} />)}
 *       {answered.length > 0 && <p>Sending…</p>}
 *       {last && <p role="status">{last.state === 'accepted' ? 'Signed.' : (last.error?.message ?? 'Declined.')}</p>}
 *     </section>
 *   );
 * }
 * ```
 */
export function useWallet(options: UseWalletOptions): WalletView {
  const { key, autoConnect = true, ...others } = options;
  const source = useMemo(() => new WalletSource(key ? { ...others, key } : undefined), [key, others.url && String(others.url)]);
  const snapshot = useSyncExternalStore(source.subscribe, source.snapshot, source.snapshot);
  useEffect(() => source.retain(autoConnect), [source, autoConnect]);
  return useMemo(() => ({ ...snapshot, connect: source.connect, close: source.close }), [snapshot, source]);
}
