// What every environment is to do: its wallet connects to the real server and signs a request there.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { verifies } from '../browser/keys.mjs';
import { PATIENCE_MS } from '../browser/until.mjs';

export { PATIENCE_MS };

/**
 * Asks the wallet that `next` tells of, and verifies its signature with Node's own cryptography.
 *
 * @param next  resolves with the next word of apps/serve.js
 * @param label what the wallet is to call its device: by this the right entry of the package runs
 * @param approval who approves it, and what they do meanwhile
 */
export async function signs(server, next, label, { approvedBy = 'policy:packaging', act = async () => {} } = {}) {
  const { publicKey, label: said } = await word(next);
  assert.match(said, label);
  const text = `signed by ${said}`;
  const asked = server.sendToSign({ public_key: publicKey, message: Buffer.from(text).toString('base64') });
  const [{ status, body }] = await Promise.all([asked, act()]);
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(verifies(body, text), 'the signature does not verify');
  assert.equal(body.approved_by, approvedBy);
  assert.deepEqual(await word(next), { state: 'accepted' });
  return `signed by ${said}`;
}

async function word(next) {
  const said = await next();
  assert.ok(said !== undefined && !('error' in said), `the wallet says ${JSON.stringify(said)}`);
  return said;
}

/**
 * Starts a program and has its wallet sign; the program then ends by itself.
 *
 * @param {import('../browser/harness.mjs').Server} server
 * @param {string[]} command
 * @param {string} cwd
 * @param {RegExp} label
 */
export async function programSigns(server, [command, ...args], cwd, label) {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  const closed = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (data) => (errors += data));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    const said = await signs(server, async () => JSON.parse((await lines.next()).value ?? '{"error":"nothing more"}'), label);
    const [code, signal] = await closed;
    assert.equal(code ?? signal, 0, 'the program does not end by itself');
    return said;
  } catch (error) {
    child.kill('SIGKILL');
    await closed;
    if (error instanceof Error) error.message += errors && `\n${errors}`;
    throw error;
  }
}

/**
 * Opens a page and has its wallet sign. Nothing may violate a policy or be said on the console meanwhile.
 *
 * @param {import('../browser/harness.mjs').Server} server
 * @param {import('../browser/harness.mjs').Browser} browser
 * @param {string} url
 * @param {{ label?: RegExp, context?: import('../browser/harness.mjs').BrowserContextOptions, prepare?(context: import('../browser/harness.mjs').BrowserContext): unknown, approvedBy?: string, act?(page: any): Promise<void> }} options
 */
export async function pageSigns(server, browser, url, { label = /^Chrom\w+ on Linux$/, context: options, prepare, approvedBy, act } = {}) {
  const context = await browser.newContext(options);
  const problems = [];
  context.on('console', (message) => {
    const isIcon = message.location().url.endsWith('/favicon.ico');
    if (/error|warning/.test(message.type()) && !isIcon) problems.push(message.text());
  });
  context.on('weberror', (error) => problems.push(String(error.error())));
  try {
    await prepare?.(context);
    const page = await context.newPage();
    await page.goto(url);
    const said = await signs(server, wordsOf(page), label, { approvedBy, act: act && (() => act(page)) });
    assert.deepEqual(problems, []);
    return said;
  } catch (error) {
    if (error instanceof Error) error.message += problems.map((problem) => `\n${problem}`).join('');
    throw error;
  } finally {
    await context.close();
  }
}

/** The words in `said` of a page, one after another. */
function wordsOf(page) {
  let count = 0;
  return async () => {
    const handle = await page.waitForFunction((index) => window.said?.[index], count++, { timeout: PATIENCE_MS });
    return handle.jsonValue();
  };
}
