/** The one place that imports the package. */
export { CountersignError, deleteKey, describe, digest, Key, openKey, verify, Wallet } from 'countersign';
