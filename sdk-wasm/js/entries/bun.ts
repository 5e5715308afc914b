import { platform, versions } from 'node:process';
import { outsideBrowser } from './outside-browser.js';
import { install } from './shared.js';

export * from './index.js';

install({ ...outsideBrowser, label: () => `Bun ${versions.bun?.split('.')[0]} on ${platform}` });
