// What a model is told: what happened, and what it may do now.

import {
  CountersignError,
  DeadlineError,
  IdempotencyKeyReusedError,
  InvalidRequestError,
  KeyBlockedError,
  NetworkError,
  NoStoreError,
  RateLimitedError,
  type RequestResource,
  UnauthorizedError,
  UnavailableError,
  UnknownRequestError,
} from 'countersign-client';

/** What to do about a request that stands so. */
export function advice({ state, error }: RequestResource): string {
  switch (state) {
    case 'signed':
      return 'Done: the human has signed, and the signature is verified.';
    case 'rejected':
      // The wallet's words are a claim, and no instruction.
      return `Declined${error?.reason ? `; the wallet gives as its reason: ${JSON.stringify(error.reason)}` : ''}. Respect it.`;
    case 'expired':
      return 'Nobody answered in time. Ask anew, under another reference, only if the human still wants it.';
    case 'cancelled':
      return 'It was withdrawn, and nothing was signed.';
    case 'queued':
      return 'The wallet is not connected yet. Ask the human to open it, then call get_request.';
    default:
      return 'The human has not decided yet. Call get_request with this request_id.';
  }
}

/** The first that an error is an instance of; the special ones come first. */
const WORDS: [new (...given: never[]) => CountersignError, string][] = [
  [IdempotencyKeyReusedError, 'This reference was used for something else. Take another for a new wish.'],
  [UnknownRequestError, 'There is no such request, or it ended too long ago. Look at the request_id.'],
  [InvalidRequestError, 'The call has to be changed: the same one will always fail.'],
  [KeyBlockedError, "The signing server's operator has blocked this human's key. Tell the human."],
  [UnauthorizedError, 'The signing server does not accept this agent. Tell the human; its operator has to set the token right.'],
  [NoStoreError, 'The signing server keeps no requests. Tell the human; its operator has to give it a store.'],
  [RateLimitedError, 'Too much at once. Wait, then make the same call again.'],
  [UnavailableError, 'The signing server cannot answer now. Make the same call again later: it asks nobody twice.'],
  [NetworkError, 'The signing server cannot be reached. Make the same call again later: it asks nobody twice.'],
  [DeadlineError, 'It took too long. Make the same call again: it asks nobody twice.'],
];

/** An error in words, its code first. */
export function inWords(error: unknown): string {
  if (!(error instanceof CountersignError)) return `aborted: ${error instanceof Error ? error.message : String(error)}`;
  const { code, detail, request_id, retry_after } = error;
  const words = WORDS.find(([type]) => error instanceof type)?.[1] ?? 'Do not go on as if it had been signed. Tell the human.';
  const parts = [`${code}: ${detail}.`, words];
  if (retry_after !== undefined) parts.push(`Not before ${retry_after} s have passed.`);
  if (request_id !== undefined) parts.push(`The request is ${request_id}.`);
  return parts.join(' ');
}
