/** @type {Record<string, string>} */
const ADVICE = {
  malformed: 'Correct the request and ask again.',
  invalid_public_key: 'Paste a public key as a wallet shows it, or use the key of the wallet on this page.',
  invalid_message: 'Give a message of 1 to 65,536 bytes.',
  reserved_prefix: 'Choose another message: these first bytes are kept for the protocol itself.',
  invalid_timeout: 'Wait between 1 second and 7 days.',
  invalid_purpose: 'Shorten the purpose, and leave out control characters.',
  invalid_reference: 'Shorten the reference, and leave out control characters.',
  invalid_metadata: 'Give at most 16 short texts.',
  unauthorized: 'Enter a bearer token of this server and ask again.',
  rejected: 'The person said no. Ask again only if something has changed.',
  signer_not_connected: 'Open the wallet that holds this key, see that it is connected, and ask again.',
  signer_disconnected: 'The wallet went away before it answered. When it is back, ask again.',
  message_too_long: 'Shorten the message to at most 65,536 bytes.',
  payload_too_large: 'Shorten the message to at most 65,536 bytes.',
  rate_limited: 'Wait a little and ask again.',
  invalid_signature: 'The wallet sent a wrong signature, so none was passed on. Check that wallet.',
  message_mismatch: 'The wallet signed something else, so nothing was passed on. Check that wallet.',
  key_blocked: 'An operator of this server has blocked the key. Nothing is asked of it until that is taken back.',
  host_not_allowed: 'Open this page as localhost, or configure a bearer token on the server.',
  requester_limit: 'Wait until some of your open requests have ended, or cancel some.',
  too_many_inflight: 'Wait until the wallet has decided on what it was asked before.',
  draining: 'The server is stopping. Ask again in a moment.',
  overloaded: 'The server is busy. Ask again in a moment.',
  delivery_timeout: 'The wallet looked connected but did not take the request: its tab may sleep. Open it and ask again.',
  cancelled: 'You withdrew it. Nothing was signed.',
  replaced_request_ended: 'Go by how the earlier request ended. Nobody was asked anew.',
  no_store: 'Start the server with --data-dir, or ask without “Let it wait for the wallet”.',
  storage_unavailable: 'The server cannot write at present. Ask again in a while, or without letting it wait.',
  audit_unavailable: 'The server cannot write its audit log at present. Ask again in a while.',
  unknown_request: 'The server keeps what has ended for a while only. Ask anew.',
  invalid_batch: 'Ask for 1 to 16 messages.',
  timeout: 'Nobody decided in time. Ask again, perhaps with a longer wait.',
};

/**
 * What to do about an answer that is no signature.
 *
 * @param {string} code
 * @param {string | null} [retryAfter] in seconds
 */
export function errorAdvice(code, retryAfter) {
  if (retryAfter) return `Ask again in ${retryAfter} s.`;
  return ADVICE[code] ?? 'See the detail above.';
}
