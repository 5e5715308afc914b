import { byId } from './dom.js';

const WORDS = {
  webcrypto: {
    badge: 'In this browser, cannot be exported',
    note: 'The browser itself holds the key (WebCrypto) and signs with it. No script can read it, not even this page’s.',
  },
  sealed: {
    badge: 'In this browser, encrypted',
    note: 'This browser has no Ed25519 of its own: the key is kept encrypted, and is in memory while the page is open.',
  },
  memory: {
    badge: 'In this page’s memory only',
    note: 'This browser keeps nothing: a reload makes a new key.',
  },
};

/**
 * Shows where a key lives, and what that means.
 *
 * @param {{ storage: keyof typeof WORDS }} key
 */
export function showStorage({ storage }) {
  const { badge, note } = WORDS[storage];
  byId('key-storage').dataset.storage = storage;
  byId('key-storage-text').textContent = badge;
  byId('key-note').textContent = note;
}
