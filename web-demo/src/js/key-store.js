import { CountersignError, deleteKey, Key, openKey } from './sdk.js';

const NAME = { name: 'demo' };
const tabs = new BroadcastChannel('countersign-demo-key');

/** The key of this browser, the same in all its tabs and at every visit. Where the browser keeps nothing, one for this page. */
export async function loadKey() {
  try {
    return await openKey(NAME);
  } catch (error) {
    const code = error instanceof CountersignError ? error.code : undefined;
    if (code !== 'storage_unavailable' && code !== 'no_webcrypto') throw error;
    return Key.generate();
  }
}

/** A new key in place of the kept one, which is forgotten for good. */
export async function newKey() {
  // A browser that keeps nothing has nothing to forget.
  await deleteKey(NAME).catch(() => {});
  const key = await loadKey();
  if (key.storage !== 'memory') tabs.postMessage('replaced');
  return key;
}

/**
 * Calls `then` with the key that another tab has put in place of the kept one.
 *
 * @param {(key: import('countersign').Key | import('countersign').WebCryptoKey) => void} then
 */
export function onKeyReplaced(then) {
  tabs.onmessage = async () => then(await loadKey());
}
