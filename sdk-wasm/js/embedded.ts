import packed from './signer.deflate';

/** The WebAssembly as this package's own text, for where no file can be fetched or read. It is compressed, as base64 is a third longer. */
export function embedded(): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer();
}
