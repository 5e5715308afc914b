import { platform, versions } from 'node:process';
import { embedded } from './embedded.js';
import { program } from './program.js';
import { install } from './runtime.js';

export * from './index.js';

// Embedded, because reading the file would take --allow-read.
install({ ...program, wasm: embedded, label: () => `Deno ${versions['deno']?.split('.')[0]} on ${platform}` });
