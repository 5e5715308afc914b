// A page with the package and nothing else.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { WEB_ROOT } from './harness.mjs';

/**
 * A web root for a server, which goes when the file's tests are over: the package as `countersign/`, these scripts by their names,
 * and an `index.html` that loads `main.js` if that is one of them.
 */
export function barePage(scripts = {}) {
  const root = mkdtempSync(join(tmpdir(), 'countersign-'));
  after(() => rmSync(root, { recursive: true }));
  cpSync(join(WEB_ROOT, 'countersign'), join(root, 'countersign'), { recursive: true });
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(root, name), text);
  const main = 'main.js' in scripts ? '<script type="module" src="main.js"></script>' : '';
  writeFileSync(join(root, 'index.html'), `<!doctype html><link rel="icon" href="data:,"><title>bare</title>${main}`);
  return root;
}
