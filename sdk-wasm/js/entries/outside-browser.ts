import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Platform } from '../platform/platform.js';
import { CountersignError, fetchWasm } from './shared.js';

/** A scheme has two letters at least: `C:\` is a drive. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/** Reads from an address, or from a path as the file system knows it. */
async function read(source: string | URL): Promise<BufferSource> {
  const url = SCHEME.test(String(source)) ? new URL(source) : undefined;
  if (url !== undefined && url.protocol !== 'file:') return fetchWasm(url);
  try {
    return await readFile(url === undefined ? source : fileURLToPath(url));
  } catch (cause) {
    throw new CountersignError('wasm_not_found', `${String(source)} could not be read: ${String(cause)}`, { cause });
  }
}

/**
 * What programs offer that run in no browser. Nothing is kept unless a store is given, and a process is no tab. The WebAssembly is
 * embedded: bundlers for servers, `bun build --compile` and others take no further files along, and Deno reads none unasked.
 */
export const outsideBrowser: Omit<Platform, 'label'> = {
  wasm: async () => (await import('./embedded.js')).embedded.wasm(),
  ed25519: async () => (await import('./embedded.js')).embedded.ed25519(),
  read,
  webSocket: () => globalThis.WebSocket,
  origin: () => '',
  store: undefined,
  onReturn: () => () => {},
  tabs: () => undefined,
};
