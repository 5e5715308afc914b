import { platform, versions } from 'node:process';
import { embedded } from './embedded.js';
import { program } from './program.js';
import { install } from './runtime.js';

export * from './index.js';

// Embedded, because `bun build --compile` takes no other files along.
install({ ...program, wasm: embedded, label: () => `Bun ${versions['bun']?.split('.')[0]} on ${platform}` });
