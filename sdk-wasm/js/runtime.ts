import * as core from './core.js';
import { CountersignError } from './errors.js';
import type { PolicyStore } from './policy-store.js';
import type { WalletStore } from './store.js';
import type { Neighbourhood } from './tabs.js';

/** Any constructor with the interface of the browser's `WebSocket`, such as that of the package `ws`. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => unknown;

/** Where the WebAssembly comes from: an address, its bytes, or the compiled module. */
export type WasmSource = string | URL | BufferSource | WebAssembly.Module;

/** What differs between browsers, Node.js and the others. @internal */
export interface Platform {
  /** The package's own WebAssembly, which every wallet needs. */
  wasm(): WebAssembly.Module | Promise<BufferSource>;
  /** That of a `Key`, of `verify` and of signers that are not the package's. */
  ed25519(): WebAssembly.Module | Promise<BufferSource>;
  read(source: string | URL): Promise<BufferSource>;
  webSocket(): WebSocketConstructor | undefined;
  /** The origin that a handshake states; empty where it states none. */
  origin(): string;
  /** What to call this device when nobody said. */
  label(): string;
  /** Where wallets keep what has to outlive this page, if anywhere. */
  readonly store: (WalletStore & PolicyStore) | undefined;
  /** How tabs find each other, where there are tabs. */
  tabs(): Neighbourhood | undefined;
}

/** Where WebAssembly lies that is loaded when it is first needed. */
export interface OtherSources {
  /** `ed25519.wasm`: for a {@link Key}, for {@link verify}, and for a wallet with a {@link Signer} of your own. */
  ed25519?: WasmSource;
}

let platform: Platform | undefined;
let ed25519: WasmSource | undefined;
let isLoaded = false;

/** Called once, by the entry. @internal */
export function install(own: Platform): void {
  platform = own;
}

/** @internal */
export function here(): Platform {
  if (platform === undefined) throw new Error("import 'countersign' or 'countersign/inline' first: it knows where this runs");
  return platform;
}

/** What is done once, however often it is called; and tried again after it has failed. @internal */
export function once<Arguments extends unknown[]>(act: (...given: Arguments) => Promise<void>): (...given: Arguments) => Promise<void> {
  let acting: Promise<void> | undefined;
  return (...given) =>
    (acting ??= act(...given).catch((error: unknown) => {
      acting = undefined;
      throw error;
    }));
}

const load = once(async (source: WasmSource | undefined) => {
  await instantiate('core', core, source ?? (await here().wasm()));
  isLoaded = true;
});

/**
 * Loads the WebAssembly. Whatever can wait for it loads it by itself, from beside the package's own script: call this first,
 * with a `source`, where the file lies elsewhere, and before `new Wallet(…)` with a {@link Signer} of your own. Once loaded,
 * further calls have no effect.
 *
 * @example
 * ```js
 * await init('/assets/signer.wasm', { ed25519: '/assets/ed25519.wasm' });
 * ```
 * @param others where files lie that are not loaded by this, but when they are first needed
 * @throws {CountersignError} `wasm_not_found`, `wasm_invalid`, `wasm_blocked`
 */
export function init(source?: WasmSource, others: OtherSources = {}): Promise<void> {
  ed25519 = others.ed25519 ?? ed25519;
  return load(source);
}

/** Where the WebAssembly comes from that signs and verifies. @internal */
export async function ed25519Source(): Promise<WasmSource> {
  return ed25519 ?? here().ed25519();
}

/** Refuses to go on without the WebAssembly, where there is no waiting for it. @internal */
export function checkLoaded(): void {
  if (!isLoaded) {
    throw new CountersignError(
      'wasm_not_loaded',
      'The WebAssembly is not loaded yet: await init() before new Wallet(…) with a signer of your own.',
    );
  }
}

/** Gives wasm-bindgen's script of that name its WebAssembly. @internal */
export async function instantiate(name: string, script: object, source: WasmSource): Promise<void> {
  // They import what the script exports.
  const { exports } = await WebAssembly.instantiate(await moduleOf(source), { [`./${name}_bg.js`]: script as WebAssembly.ModuleImports });
  (script as Script).__wbg_set_wasm(exports);
  (exports as unknown as Start).__wbindgen_start();
}

/** What its types do not show. */
interface Script {
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

interface Start {
  __wbindgen_start(): void;
}

/** Compiles what lies at an address, or what is given. */
async function moduleOf(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  return compile(typeof source === 'string' || source instanceof URL ? await here().read(source) : source);
}

/** What browsers say whose Content-Security-Policy forbids it, and what workerd says. */
const FORBIDDEN = /unsafe-eval|disallowed by embedder/;

async function compile(source: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(source);
  } catch (cause) {
    if (FORBIDDEN.test(String(cause))) {
      throw new CountersignError(
        'wasm_blocked',
        "WebAssembly is forbidden here. In a page, add 'wasm-unsafe-eval' to script-src of its Content-Security-Policy; " +
          'elsewhere, give init() the compiled module.',
        { cause },
      );
    }
    throw new CountersignError('wasm_invalid', `the WebAssembly does not compile: ${String(cause)}`, { cause });
  }
}

const CURE =
  "Serve the file of that name in the package's dist there, or say where it is with init(url, { ed25519: url }). For Vite before 8, set optimizeDeps.exclude to ['countersign'].";

/** @internal */
export async function fetchWasm(url: string | URL): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new CountersignError('wasm_not_found', `${String(url)} could not be fetched (${String(cause)}). ${CURE}`, { cause });
  }
  if (!response.ok) {
    throw new CountersignError('wasm_not_found', `${String(url)} was answered with status ${response.status}. ${CURE}`);
  }
  const body = await response.arrayBuffer();
  if (!isWasm(body)) {
    const type = response.headers.get('content-type') ?? 'no content type';
    throw new CountersignError('wasm_invalid', `${String(url)} is not WebAssembly (it came as ${type}). ${CURE}`);
  }
  return body;
}

/** Looks at the first four bytes, "\0asm": a web server with the wrong content type still serves the right file. */
function isWasm(body: ArrayBuffer): boolean {
  return body.byteLength > 4 && new DataView(body).getUint32(0) === 0x0061_736d;
}
