import { embedded } from './embedded.js';
import { install, web } from './shared.js';

export * from './index.js';

install({ ...web, ...embedded });
