import { nodeModule } from './node-module.js';

// jest's jsdom has neither, and the script of the WebAssembly makes one of each when it is loaded.
if (typeof TextDecoder === 'undefined') {
  const { TextDecoder, TextEncoder } = nodeModule<typeof globalThis>('node:util') ?? globalThis;
  Object.assign(globalThis, { TextDecoder, TextEncoder });
}
