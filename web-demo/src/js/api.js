/** Where the page sends its requests: the API of the server it came from. */
export const ENDPOINT = new URL('/v1/send_to_sign', location.href).href;

/**
 * Asks for a signature and waits for what comes of it. Never throws; the outcome is one of
 *   { kind: 'signed', status, body, ms }
 *   { kind: 'problem', status, body, ms, retryAfter }   an answer of the API that is no signature
 *   { kind: 'cancelled', ms }                           `signal` was aborted
 *   { kind: 'unreachable', ms }                         no answer at all
 *
 * @param body     the request as the API takes it
 * @param token    bearer token, or empty
 * @param signal   abort to stop waiting; the server then withdraws the request
 */
export async function sendToSign(body, { token, signal }) {
  const started = performance.now();
  const took = () => performance.now() - started;
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  try {
    const response = await fetch(ENDPOINT, { method: 'POST', headers, body: JSON.stringify(body), signal });
    const { status } = response;
    const answer = parse(await response.text(), status);
    if (response.ok) return { kind: 'signed', status, body: answer, ms: took() };
    return { kind: 'problem', status, body: answer, ms: took(), retryAfter: response.headers.get('retry-after') };
  } catch {
    return { kind: signal.aborted ? 'cancelled' : 'unreachable', ms: took() };
  }
}

/** What a proxy in between might say is no JSON; it is shown as it is. */
function parse(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { code: `http_${status}`, detail: text.slice(0, 300) };
  }
}
