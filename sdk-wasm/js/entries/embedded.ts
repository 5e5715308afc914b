import ed25519 from '../ed25519.deflate';
import { nodeModule } from '../platform/node-module.js';
import signer from '../signer.deflate';

/** The WebAssembly as this package's own text, for where no file can be fetched or read. */
export const embedded = {
  wasm: () => inflate(signer),
  ed25519: () => inflate(ed25519),
};

/** Unpacks a `.deflate`, which bundle.mjs makes of each `.wasm`. It is compressed, because base64 is a third longer. */
async function inflate(packed: string): Promise<BufferSource> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  // Where a page is imitated, there may be no such streams.
  const zlib = nodeModule<{ inflateRawSync(bytes: Uint8Array): Uint8Array<ArrayBuffer> }>('node:zlib');
  if (zlib !== undefined) return zlib.inflateRawSync(bytes);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer();
}
