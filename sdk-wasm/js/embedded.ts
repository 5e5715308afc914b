import ed25519 from './ed25519.deflate';
import { inflate } from './inflate.js';
import signer from './signer.deflate';

/** The WebAssembly as this package's own text, for where no file can be fetched or read. */
export const embedded = {
  wasm: () => inflate(signer),
  ed25519: () => inflate(ed25519),
};
