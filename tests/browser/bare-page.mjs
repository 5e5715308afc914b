// Pages with the package beside them.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { inRepository, WEB_ROOT } from './harness.mjs';

/** A web root for a server, which goes when the file's tests are over, with the package as `countersign/`. */
function withPackage() {
  const root = mkdtempSync(join(tmpdir(), 'countersign-'));
  after(() => rmSync(root, { recursive: true }));
  cpSync(inRepository('sdk-wasm/dist'), join(root, 'countersign'), { recursive: true });
  return root;
}

/** The page as it is served, with its modules beside it as `js/`, for tests that put more into it than it has. */
export function openedPage() {
  const root = withPackage();
  cpSync(WEB_ROOT, root, { recursive: true, preserveTimestamps: true });
  cpSync(inRepository('web-demo/src/js'), join(root, 'js'), { recursive: true });
  return root;
}

/** These scripts by their names, and an `index.html` that loads `main.js` if that is one of them. */
export function barePage(scripts = {}) {
  const root = withPackage();
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(root, name), text);
  const main = 'main.js' in scripts ? '<script type="module" src="main.js"></script>' : '';
  writeFileSync(join(root, 'index.html'), `<!doctype html><link rel="icon" href="data:,"><title>bare</title>${main}`);
  return root;
}
