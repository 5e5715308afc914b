import { platform, versions } from 'node:process';
import { program } from './program.js';
import { install } from './shared.js';

export * from './index.js';

install({ ...program, label: () => `Deno ${versions.deno?.split('.')[0]} on ${platform}` });
