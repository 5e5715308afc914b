import { CountersignError, type ErrorCode } from '../common/errors.js';
import type { ConnectionState } from './events.js';

/** What a wallet dialled. */
export interface Dialled {
  /** The server's address without query, in which there may be a secret. */
  readonly audience: string;
  /** The page's origin; empty where there is none. */
  readonly origin: string;
}

/** An error of the core as the wallet's owner is told it: with what can be done about it, where it is a matter of configuration. */
export function explainError(code: ErrorCode, message: string, { audience, origin }: Dialled, state: ConnectionState): CountersignError {
  if (code === 'proof_invalid') {
    return new CountersignError(
      code,
      `${message}. This wallet proved its key for the audience ${audience}, from ${
        origin === '' ? 'no origin' : `the origin ${origin}`
      }. Start the server with --audience ${audience}, and have no proxy in between change Origin`,
    );
  }
  if (code === 'connection_lost' && state === 'connecting') {
    return new CountersignError(
      code,
      `${audience} cannot be reached; browsers do not say why. Check that the server runs and this is its ` +
        "address, that a proxy in between lets WebSockets through, that the certificate is valid, and that the page's " +
        `Content-Security-Policy allows it in connect-src. The wallet goes on trying (${message})`,
    );
  }
  if (code === 'connect_timeout' || code === 'dial_refused') return new CountersignError(code, `${audience}: ${message}`);
  return new CountersignError(code, message);
}
