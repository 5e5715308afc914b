import type { Signer } from '../keys/signer.js';
import { registerByEvents } from './register-event.js';
import { CountersignError, checkSignable, Emitter, fromBase64, isBytes, MOST_BYTES, publicKeyOf } from './shared.js';

/** An account of a Wallet Standard wallet: the one key it has. */
export interface StandardAccount {
  /** The public key in base64. */
  readonly address: string;
  /** The public key: 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly chains: readonly ['countersign:ed25519'];
  readonly features: readonly ['countersign:signBytes'];
}

/** One message to be signed, for `countersign:signBytes`. */
export interface SignBytesInput {
  /** One of the wallet's accounts that are connected. */
  readonly account: { readonly address: string };
  /** The bytes: 1 to 65,536, not starting with 0xFF and `countersign/`. */
  readonly message: Uint8Array;
}

/** What `countersign:signBytes` gives for one message. */
export interface SignBytesOutput {
  /** The Ed25519 signature over the bytes as they are: 64 bytes. */
  readonly signature: Uint8Array;
}

/** The features of the wallet, by name. */
export interface StandardFeatures {
  readonly 'standard:connect': {
    readonly version: '1.0.0';
    connect(input?: { readonly silent?: boolean }): Promise<{ readonly accounts: readonly StandardAccount[] }>;
  };
  readonly 'standard:disconnect': {
    readonly version: '1.0.0';
    disconnect(): Promise<void>;
  };
  readonly 'standard:events': {
    readonly version: '1.0.0';
    on(event: 'change', listener: (properties: { readonly accounts?: readonly StandardAccount[] }) => void): () => void;
  };
  readonly 'countersign:signBytes': {
    readonly version: '1.0.0';
    /** Asks once for all inputs, at most 16, and gives the signatures in their order. */
    signBytes(...inputs: readonly SignBytesInput[]): Promise<readonly SignBytesOutput[]>;
  };
}

/** The wallet as apps see it: a `Wallet` of `@wallet-standard/base`. */
export interface StandardWallet {
  readonly version: '1.0.0';
  readonly name: string;
  readonly icon: `data:image/${'svg+xml' | 'webp' | 'png' | 'gif'};base64,${string}`;
  readonly chains: readonly ['countersign:ed25519'];
  readonly features: StandardFeatures & Record<`${string}:${string}`, unknown>;
  readonly accounts: readonly StandardAccount[];
}

/** What an app asks for. */
export type StandardRequest =
  /** To see the public key, and to ask for signatures. */
  | { readonly feature: 'standard:connect' }
  /** To sign all of these, each a copy of what is signed. Show them with `describe`. */
  | { readonly feature: 'countersign:signBytes'; readonly messages: readonly Uint8Array[] };

/** How a wallet is registered. */
export interface RegisterOptions {
  /** The key it signs with. */
  key: Signer;
  /** What apps call the wallet. */
  name: string;
  /** What apps show of it. */
  icon: StandardWallet['icon'];
  /**
   * Asks the human. Anything but `true` declines, and so does leaving it away. Any script of the page can ask.
   */
  approve?: (request: StandardRequest) => boolean | Promise<boolean>;
}

const CHAINS = Object.freeze(['countersign:ed25519'] as const);
const FEATURES = Object.freeze(['countersign:signBytes'] as const);
const ICON = /^data:image\/(?:svg\+xml|webp|png|gif);base64,/;

/** The most messages of one prompt, and the most prompts at a time: any script may call. */
const MOST_ASKED = 16;

/**
 * Offers a key to the apps in this page that speak the Wallet Standard, with `standard:connect`, `standard:disconnect`,
 * `standard:events` and `countersign:signBytes`. It needs no server. Returns a function that withdraws it.
 *
 * @example
 * ```js
 * import { describe, openKey } from 'countersign';
 * import { registerWallet } from 'countersign/wallet-standard';
 *
 * registerWallet({
 *   key: await openKey(),
 *   name: 'Example Wallet',
 *   icon: 'data:image/svg+xml;base64,…',
 *   approve: async (request) => request.feature === 'standard:connect' ? askToConnect() : askToSign(request.messages.map(describe)),
 * });
 * ```
 * @throws {CountersignError} `invalid_key`, `invalid_wallet`
 */
export function registerWallet(options: RegisterOptions): () => void {
  const { key, name, icon, approve } = options;
  const publicKey = fromBase64(publicKeyOf(key));
  if (publicKey?.length !== 32) throw new CountersignError('invalid_key', 'the public key of a signer is 32 bytes in base64');
  if (typeof name !== 'string' || name === '' || !ICON.test(icon)) {
    throw new CountersignError('invalid_wallet', 'a wallet has a name, and an icon like data:image/svg+xml;base64,…');
  }
  const wallet = walletOf(key, publicKey, { name, icon }, async (request) => {
    if ((await approve?.(request)) !== true) throw new CountersignError('rejected', 'the owner of the wallet declined');
  });
  return registerByEvents(wallet);
}

function walletOf(
  key: Signer,
  publicKey: Uint8Array,
  shown: Pick<StandardWallet, 'name' | 'icon'>,
  ask: (request: StandardRequest) => Promise<void>,
): StandardWallet {
  const account: StandardAccount = Object.freeze({ address: key.publicKey, publicKey, chains: CHAINS, features: FEATURES });
  const emitter = new Emitter<{ change: { readonly accounts: readonly StandardAccount[] } }>();
  let accounts: readonly StandardAccount[] = Object.freeze([]);
  let connecting: Promise<void> | undefined;
  let prompts = 0;

  const setAccounts = (changed: readonly StandardAccount[]) => {
    if (changed.length === accounts.length) return;
    accounts = Object.freeze(changed);
    emitter.emit('change', { accounts });
  };
  const connect = async ({ silent = false } = {}) => {
    if (accounts.length === 0 && !silent) {
      // However often an app calls, one prompt.
      connecting ??= ask({ feature: 'standard:connect' })
        .then(() => setAccounts([account]))
        .finally(() => (connecting = undefined));
      await connecting;
    }
    return { accounts };
  };
  const checkConnected = (inputs: readonly SignBytesInput[]) => {
    const addresses = accounts.map(({ address }) => address);
    if (inputs.some((input) => !addresses.includes(input?.account?.address))) {
      throw new CountersignError('not_connected', 'the app is not connected to this account: call standard:connect first');
    }
  };
  const signBytes = async (...inputs: readonly SignBytesInput[]) => {
    checkConnected(inputs);
    // Copied before anybody is asked: what is signed is what was shown, whatever the app does to its arrays meanwhile.
    const messages = inputs.map(({ message }) => copyOf(message));
    if (messages.length === 0) return [];
    if (messages.length > MOST_ASKED || prompts >= MOST_ASKED) {
      throw new CountersignError('rate_limited', `at most ${MOST_ASKED} messages at once, in at most ${MOST_ASKED} prompts`);
    }
    prompts += 1;
    await ask({ feature: 'countersign:signBytes', messages: messages.map((message) => new Uint8Array(message)) }).finally(
      () => (prompts -= 1),
    );
    checkConnected(inputs);
    const outputs: SignBytesOutput[] = [];
    for (const message of messages) outputs.push({ signature: await signatureOver(key, message) });
    return outputs;
  };

  return Object.freeze({
    version: '1.0.0',
    ...shown,
    chains: CHAINS,
    features: Object.freeze({
      'standard:connect': Object.freeze({ version: '1.0.0', connect }),
      'standard:disconnect': Object.freeze({ version: '1.0.0', disconnect: async () => setAccounts([]) }),
      'standard:events': Object.freeze({
        version: '1.0.0',
        on: (event: 'change', listener: (properties: { readonly accounts: readonly StandardAccount[] }) => void) =>
          emitter.on(event, listener),
      }),
      'countersign:signBytes': Object.freeze({ version: '1.0.0', signBytes }),
    }),
    get accounts() {
      return accounts;
    },
  } as const);
}

function copyOf(message: Uint8Array): Uint8Array {
  checkSignable(message);
  if (message.length === 0 || message.length > MOST_BYTES) {
    throw new CountersignError('invalid_message', `a message has 1 to ${MOST_BYTES} bytes, this one has ${message.length}`);
  }
  // Not `slice`, which of a Node.js Buffer is no copy.
  const copy = new Uint8Array(message);
  // The copy is what counts: the app's array may be shared with another thread.
  checkSignable(copy);
  return copy;
}

async function signatureOver(key: Signer, message: Uint8Array): Promise<Uint8Array> {
  const signature: unknown = await key.sign(message);
  if (!isBytes(signature) || signature.length !== 64) {
    throw new CountersignError('signer_failed', 'what the signer gave is no signature of 64 bytes');
  }
  return signature;
}
