/** The one place that knows where the package lies. */
export { CountersignError, deleteKey, describe, digest, Key, openKey, verify, Wallet } from '../countersign/browser.js';
