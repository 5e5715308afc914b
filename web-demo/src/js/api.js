/** Where the page sends its requests: the API of the server it came from. */
export const ENDPOINT = new URL('/v1/send_to_sign', location.href).href;

/** Has a request written down, and the call answered before its end (RFC 7240). */
export const RESPOND_ASYNC = 'respond-async';

/**
 * Asks for a signature, or several, and waits for what comes of it. Never throws; the outcome is one of
 *   { kind: 'signed', status, body, ms }
 *   { kind: 'ended', status, requests, ms }             several, each as it ended
 *   { kind: 'accepted', status, requests, ms }          written down, to be followed
 *   { kind: 'problem', status, body, ms, retryAfter }   an answer of the API that is no signature
 *   { kind: 'cancelled', ms }                           `signal` was aborted
 *   { kind: 'unreachable', ms }                         no answer at all
 *
 * @param body      the request as the API takes it
 * @param durable   whether it is to be written down
 * @param token     bearer token, or empty
 * @param signal    abort to stop waiting; the server then withdraws a request that is not written down
 */
export async function sendToSign(body, { durable, token, signal }) {
  const started = performance.now();
  const took = () => performance.now() - started;
  const headers = { 'content-type': 'application/json', ...(durable && { prefer: RESPOND_ASYNC }), ...authorization(token) };
  try {
    const response = await fetch(ENDPOINT, { method: 'POST', headers, body: JSON.stringify(body), signal });
    const { status } = response;
    const answer = parse(await response.text(), status);
    if (!response.ok) return { kind: 'problem', status, body: answer, ms: took(), retryAfter: response.headers.get('retry-after') };
    if (status === 202) return { kind: 'accepted', status, requests: answer.requests ?? [answer], ms: took() };
    if (answer.requests) return { kind: 'ended', status, requests: answer.requests, ms: took() };
    return { kind: 'signed', status, body: answer, ms: took() };
  } catch {
    return { kind: signal.aborted ? 'cancelled' : 'unreachable', ms: took() };
  }
}

/** Whether the server writes requests down; null where it cannot be asked. */
export async function keepsRequests() {
  try {
    return (await fetch('/.well-known/jwks.json')).ok;
  } catch {
    return null;
  }
}

/** How many connections the server knows of a key; null where it does not tell. */
export async function signerConnections(publicKey, token) {
  const response = await fetch(`/v1/signers/${encodeURIComponent(publicKey)}`, { headers: authorization(token) });
  return response.ok ? (await response.json()).connections : null;
}

/** Which process of the server answers; null where there is none, or none that can be restarted from here. */
export async function demoInstance() {
  try {
    const response = await fetch('/demo');
    return response.ok ? (await response.json()).instance : null;
  } catch {
    return null;
  }
}

/** Has the server's process end and start anew; whether it agreed. */
export async function restartServer() {
  const response = await fetch('/demo/restart', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  return response.ok;
}

/** The header of a bearer token, if there is one. */
export const authorization = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/** What a proxy in between might say is no JSON; it is shown as it is. */
export function parse(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { code: `http_${status}`, detail: text.slice(0, 300) };
  }
}
