import { fromBase64, toBase64 } from './bytes.js';
import { Key } from './sdk.js';

const ITEM = 'countersign-demo-seed';

/** The key of this tab: the one a reload left, or a new one. */
export async function loadKey() {
  const seed = fromBase64(read() ?? '');
  return seed?.length === 32 ? Key.fromSeed(seed) : newKey();
}

/** A new key in place of the stored one. */
export async function newKey() {
  const key = await Key.generate();
  write(toBase64(key.exportSeed()));
  return key;
}

function read() {
  try {
    return sessionStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

function write(seed) {
  try {
    sessionStorage.setItem(ITEM, seed);
  } catch {
    // Storage may be blocked; the key then lasts until a reload.
  }
}
