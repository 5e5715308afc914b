import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CountersignError } from './errors.js';
import { fetchWasm, type Platform } from './runtime.js';

/** A scheme has two letters at least: `C:\` is a drive. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/** Reads from an address, or from a path as the file system knows it. */
export async function readWasm(source: string | URL): Promise<BufferSource> {
  const url = SCHEME.test(String(source)) ? new URL(source) : undefined;
  if (url !== undefined && url.protocol !== 'file:') return fetchWasm(url);
  try {
    return await readFile(url === undefined ? source : fileURLToPath(url));
  } catch (cause) {
    throw new CountersignError(
      'wasm_not_found',
      `${String(source)} could not be read (${String(cause)}). A bundler may have left it behind: copy it, or say where it is with init(path).`,
      { cause },
    );
  }
}

/** What programs offer that run in no browser: nothing is kept unless a store is given, and a process is no tab. */
export const program: Omit<Platform, 'wasm' | 'label'> = {
  read: readWasm,
  webSocket: () => globalThis.WebSocket,
  origin: () => '',
  store: undefined,
  tabs: () => undefined,
};
