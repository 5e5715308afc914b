import { embedded } from './embedded.js';
import { install } from './runtime.js';
import { web } from './web.js';

export * from './index.js';

install({ ...web, ...embedded });
