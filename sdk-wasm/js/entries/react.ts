import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Signer } from '../keys/signer.js';
import type { WalletOptions } from '../wallet/options.js';
import { type WalletSnapshot, WalletSource } from './wallet-external-store.js';

export type { WalletSnapshot } from './wallet-external-store.js';

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
  /** Disconnects until `connect()` is called. */
  close(): void;
}

/**
 * A wallet for as long as the component is mounted. Another `key` or `url` makes another wallet; the other options count when it is
 * made. On a server it is `idle` and connects nowhere.
 *
 * @example
 * ```tsx
 * import type { Signer } from 'countersign';
 * import { useWallet } from 'countersign/react';
 *
 * function Prompts({ signer }: { signer: Signer | undefined }) {
 *   const { state, requests, error } = useWallet({ key: signer, url: 'wss://sign.example.com/ws' });
 *   return (
 *     <section aria-label={state}>
 *       {error && <p role="alert">{error.message}</p>}
 *       {requests.map((request) => <Prompt key={request.id} request={request} />)}
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
