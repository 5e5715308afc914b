import { fromBase64, toBase64 } from './bytes.js';
import { Key } from './sdk.js';

const ITEM = 'countersign-demo-seed';

/** The key of this browser, the same in all its tabs: the one that is kept, or a new one. */
export async function loadKey() {
  const kept = await storedKey();
  return kept ?? newKey();
}

/** A new key in place of the kept one. */
export async function newKey() {
  const key = await Key.generate();
  write(toBase64(key.exportSeed()));
  return key;
}

/** Calls `then` with the key that another tab has put in place of the kept one. */
export function onKeyReplaced(then) {
  addEventListener('storage', async ({ key: item }) => {
    const key = item === ITEM || item === null ? await storedKey() : null;
    if (key) then(key);
  });
}

function storedKey() {
  const seed = fromBase64(read() ?? '');
  return seed?.length === 32 ? Key.fromSeed(seed) : null;
}

function read() {
  try {
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

function write(seed) {
  try {
    localStorage.setItem(ITEM, seed);
  } catch {
    // Storage may be blocked; the key then lasts until a reload, and each tab has its own.
  }
}
