import ed25519 from '../ed25519.deflate';
import signer from '../signer.deflate';

/** The WebAssembly as this package's own text, for where no file can be fetched or read. */
export const embedded = {
  wasm: () => inflate(signer),
  ed25519: () => inflate(ed25519),
};

/** Unpacks a `.deflate`, which bundle.mjs makes of each `.wasm`. It is compressed, because base64 is a third longer. */
function inflate(packed: string): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer();
}
