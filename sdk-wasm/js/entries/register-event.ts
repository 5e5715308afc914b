/** What an app hands to wallets. */
interface Registry {
  register(wallet: unknown): () => void;
}

/** As the Wallet Standard has it: nobody can keep the event from the other listeners. */
class RegisterWalletEvent extends Event {
  readonly detail: (registry: Registry) => void;

  constructor(detail: (registry: Registry) => void) {
    super('wallet-standard:register-wallet');
    this.detail = detail;
  }

  override preventDefault(): never {
    throw new Error('preventDefault cannot be called');
  }

  override stopImmediatePropagation(): never {
    throw new Error('stopImmediatePropagation cannot be called');
  }

  override stopPropagation(): never {
    throw new Error('stopPropagation cannot be called');
  }
}

/**
 * Makes a wallet known to the apps in this window, to those that are there and to those that come later, by the two events of the
 * Wallet Standard (https://github.com/wallet-standard/wallet-standard). Returns a function that takes it back: that is why this is
 * not `registerWallet` of `@wallet-standard/wallet` (1.1), which returns nothing and listens for ever. That one also writes to the
 * console where there is no window, and hands a wallet twice to an app that tells of itself twice.
 *
 * @internal
 */
export function registerByEvents(wallet: unknown): () => void {
  const { window } = globalThis as { window?: Window };
  const registered = new Map<Registry, () => void>();
  let isOver = false;
  const register = (registry: Registry) => {
    // An app that comes up while a wallet does tells of itself twice.
    if (!isOver && !registered.has(registry)) registered.set(registry, registry.register(wallet));
  };
  const onAppReady = (event: Event) => register((event as Event & { readonly detail: Registry }).detail);
  window?.addEventListener('wallet-standard:app-ready', onAppReady);
  window?.dispatchEvent(new RegisterWalletEvent(register));
  return () => {
    isOver = true;
    window?.removeEventListener('wallet-standard:app-ready', onAppReady);
    for (const unregister of registered.values()) unregister();
    registered.clear();
  };
}
