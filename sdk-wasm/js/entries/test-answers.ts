/** How a request ends that nobody has decided. */
export type EndOfOpen = 'cancelled' | 'expired' | 'answered_elsewhere';

/** How an answer ends. */
export type EndOfAnswer = 'accepted' | 'late' | 'unconfirmed' | 'bad_signature' | 'message_mismatch' | 'unknown_request' | 'signer_failed';

/** What was answered: `approve()` with whom it was approved by, or `reject()` with the rest. */
export type Answer =
  | { readonly approvedBy: string; readonly code?: undefined; readonly reason?: undefined; readonly scope?: undefined }
  | { readonly approvedBy?: undefined; readonly code: string; readonly reason: string | undefined; readonly scope: string };
