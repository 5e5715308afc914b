/** The one place that knows where the package lies. */
export { CountersignError, Key, Wallet, verify } from '../countersign/browser.js';
