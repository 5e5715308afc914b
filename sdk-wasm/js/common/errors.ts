/** The stable code of a {@link CountersignError}. Names never change; later versions may add some. */
// biome-ignore format: grouped by where it comes from, not one a line
export type ErrorCode =
  // Setting up
  | 'invalid_seed' | 'invalid_public_key' | 'invalid_signature' | 'invalid_message' | 'invalid_url' | 'invalid_device'
  | 'invalid_answer' | 'invalid_key' | 'invalid_policy' | 'insecure_context' | 'key_freed' | 'key_exists' | 'invalid_export'
  | 'invalid_mnemonic' | 'invalid_path' | 'invalid_passphrase' | 'wrong_passphrase' | 'no_memory'
  | 'no_webcrypto' | 'no_randomness' | 'no_websocket'
  | 'no_webassembly' | 'wasm_not_found' | 'wasm_invalid' | 'wasm_blocked' | 'wasm_not_loaded'
  // Connecting
  | 'dial_refused' | 'connect_timeout' | 'heartbeat_timeout' | 'connection_lost' | 'refused' | 'superseded' | 'closed' | 'aborted'
  // Signing
  | 'signer_failed'
  // Of the owner's own code
  | 'listener_failed'
  // Asked by an app in the page
  | 'invalid_wallet' | 'not_connected' | 'rejected'
  // Keeping what has to outlive the page
  | 'storage_unavailable' | 'storage_failed'
  // Said by the server
  | 'proof_invalid' | 'proof_required' | 'key_refused' | 'introduction_required' | 'introduction_timeout'
  | 'already_introduced' | 'rate_limited' | 'too_many_errors' | 'too_many_connections' | 'malformed' | 'unknown_type'
  | 'wrong_direction' | 'binary_frame' | 'frame_too_large' | 'unrecognised'
  // Said of the server
  | 'bad_frame' | 'protocol_error'
  // About one request
  | 'not_open' | 'already_answered' | 'cancelled' | 'expired' | 'answered_elsewhere' | 'late' | 'bad_signature'
  | 'message_mismatch' | 'unknown_request' | 'unconfirmed';

/** Every error of this package. Programs look at `code`; the message is for people, and says what to do where that is known. */
export class CountersignError extends Error {
  /** What went wrong, for programs. */
  readonly code: ErrorCode;

  /** @internal */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CountersignError';
    this.code = code;
  }
}

/** What somebody else's code threw, in words. @internal */
export function reasonOf(error: unknown): string {
  try {
    return `${error instanceof Error ? error.message || error.name : error}`;
  } catch {
    return 'it threw something that has no text';
  }
}

/** Calls into WebAssembly, which throws a text: a code, a space, and a sentence. @internal */
export function callCore<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (typeof error !== 'string') throw error;
    const end = error.indexOf(' ');
    throw new CountersignError(error.slice(0, end) as ErrorCode, error.slice(end + 1));
  }
}
