import { CountersignError } from '../common/errors.js';
import { once } from '../common/once.js';
import * as core from '../core.js';
import { nodeModule } from './node-module.js';
import { platform } from './platform.js';

/** Where the WebAssembly comes from: an address, its bytes, or the compiled module. */
export type WasmSource = string | URL | ArrayBuffer | ArrayBufferView | WasmModule;

/** `WebAssembly.Module`, where the types of the platform have it: those of Node.js do not. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } } ? Module : never;

/** Where WebAssembly lies that is loaded when it is first needed. */
export interface OtherSources {
  /** `ed25519.wasm`: for a {@link Key}, for {@link verify}, and for a wallet with a {@link Signer} of your own. */
  ed25519?: WasmSource;
}

let ed25519: WasmSource | undefined;
let isLoaded = false;

const load = once(async (source: WasmSource | undefined) => {
  await instantiate('core', core, source ?? (await platform().wasm()));
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
  return ed25519 ?? platform().ed25519();
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
  const module = await moduleOf(source);
  // They import what the script exports.
  const { exports } = await WebAssembly.instantiate(module, { [`./${name}_bg.js`]: script as WebAssembly.ModuleImports });
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
  if (typeof WebAssembly === 'undefined') {
    throw new CountersignError(
      'no_webassembly',
      "No WebAssembly here: Lockdown Mode or a setting has taken it away. Allow it for this site in the browser's settings.",
    );
  }
  if (source instanceof WebAssembly.Module) return source;
  // Not by its class: where a DOM is imitated, that is another one.
  return compile(typeof source === 'string' || 'href' in source ? await platform().read(source) : (source as BufferSource));
}

/** What browsers say whose Content-Security-Policy forbids it, and what workerd says. */
const FORBIDDEN = /unsafe-eval|CSP|disallowed by embedder/;

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
export async function fetchWasm(url: string | URL): Promise<BufferSource> {
  // Nothing fetches a file in Node.js, where unit tests have this entry run.
  const files = String(url).startsWith('file:') ? nodeModule<{ readFileSync(url: URL): Uint8Array<ArrayBuffer> }>('node:fs') : undefined;
  if (files !== undefined) return files.readFileSync(new URL(url));
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
