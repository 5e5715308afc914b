/** Unpacks a `.deflate`, which bundle.mjs makes of each `.wasm`. It is compressed, because base64 is a third longer. */
export function inflate(packed: string): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer();
}
