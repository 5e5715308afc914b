import { CountersignError } from './shared.js';

/** Why something is not a key that can be imported. */
export function invalid(why: string): CountersignError {
  return new CountersignError('invalid_key', `not a key that can be imported: ${why}`);
}
