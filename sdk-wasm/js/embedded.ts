import { inflate } from './inflate.js';
import packed from './signer.deflate';

/** The WebAssembly as this package's own text, for where no file can be fetched or read. */
export function embedded(): Promise<ArrayBuffer> {
  return inflate(packed);
}
