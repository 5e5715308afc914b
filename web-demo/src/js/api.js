import { toHex } from './bytes.js';
import { delay } from './delay.js';

/** Where the page sends its requests: the API of the server it came from. */
export const ENDPOINT = new URL('/v1/send_to_sign', location.href).href;

/** Has a request written down, and the call answered before its end (RFC 7240). */
export const RESPOND_ASYNC = 'respond-async';

const RETRY_MS = 1_000;
const DEMO_MS = 2_000;
/** What a proxy says whose server is not there, or goes while it has a call. */
const GONE = [502, 503, 504];

/**
 * Asks for a signature, or several, and waits for what comes of it. Never throws.
 *
 * @param {CallBody} body the request as the API takes it
 * @param {CallOptions & { durableAs?: string }} options the idempotency key under which it is to be written down, if it is; the bearer token,
 *   or empty; abort the signal to stop waiting, and the server withdraws a request that is not written down
 * @returns {Promise<Outcome>}
 */
export async function sendToSign(body, { durableAs, token, signal, onNode }) {
  const started = performance.now();
  const took = () => performance.now() - started;
  const durable = durableAs !== undefined && { prefer: RESPOND_ASYNC, 'idempotency-key': durableAs };
  const headers = { 'content-type': 'application/json', ...durable, ...authorization(token) };
  try {
    const response = await fetch(ENDPOINT, { method: 'POST', headers, body: JSON.stringify(body), signal });
    const { status } = response;
    const node = response.headers.get('countersign-node');
    if (node) onNode?.(node);
    // A proxy's own words, not the server's: that is gone, and what has become of the call with it.
    if (GONE.includes(status) && !response.headers.get('content-type')?.includes('json')) return { kind: 'unreachable', ms: took() };
    const answer = parse(await response.text(), status);
    if (!response.ok) return { kind: 'problem', status, body: answer, ms: took(), retryAfter: response.headers.get('retry-after') };
    if (status === 202) return { kind: 'accepted', status, requests: answer.requests ?? [answer], ms: took() };
    if (answer.requests) return { kind: 'ended', status, requests: answer.requests, ms: took() };
    return { kind: 'signed', status, body: answer, ms: took() };
  } catch {
    return { kind: signal.aborted ? 'cancelled' : 'unreachable', ms: took() };
  }
}

/**
 * The same for what is to be written down, asked again under its key as long as there is no answer: whether the server had taken it when a
 * connection broke is then found out, and nobody is asked twice.
 *
 * @param {CallBody} body
 * @param {CallOptions & { onLost(): void }} options `onLost` is called each time there was no answer
 * @returns {Promise<Outcome>}
 */
export async function sendDurably(body, { onLost, ...options }) {
  const durableAs = randomKey();
  for (;;) {
    const outcome = await sendToSign(body, { durableAs, ...options });
    if (outcome.kind !== 'unreachable') return outcome;
    onLost();
    // Given up meanwhile: the next turn says so.
    await delay(RETRY_MS, options.signal).catch(() => {});
  }
}

/** Not `randomUUID()`, which only pages from https or this machine have. */
const randomKey = () => toHex(crypto.getRandomValues(new Uint8Array(16))).join('');

/** Whether the server writes requests down; null where it cannot be asked. */
export async function keepsRequests() {
  try {
    return (await fetch('/.well-known/jwks.json')).ok;
  } catch {
    return null;
  }
}

/**
 * How many connections the server knows of a key; null where it does not tell.
 *
 * @param {string} publicKey
 * @param {string} token
 * @returns {Promise<number | null>}
 */
export async function signerConnections(publicKey, token) {
  const response = await fetch(`/v1/signers/${encodeURIComponent(publicKey)}`, { headers: authorization(token) });
  return response.ok ? (await response.json()).connections : null;
}

/**
 * Which process of the server answers, and which of several servers it is; null where there is none, or none that can be restarted from here.
 *
 * @param {string} [path] that of one of several servers
 * @returns {Promise<DemoServer | null>}
 */
export const demoServer = (path = '') => demoCall(`${path}/demo`);

/**
 * Which of several servers have a connection of a key; null where none can tell.
 *
 * @param {string} publicKey
 * @returns {Promise<string[] | null>}
 */
export const nodesWith = async (publicKey) => (await demoCall(`/demo/wallets/${encodeURIComponent(publicKey)}`))?.nodes ?? null;

/**
 * Has the server's process end and start anew; whether it agreed.
 *
 * @param {{ path?: string, downMs?: number }} options `path` is that of one of several servers, `downMs` how long it is to be away
 */
export async function restartServer({ path = '', downMs } = {}) {
  const body = JSON.stringify({ down_ms: downMs });
  const response = await fetch(`${path}/demo/restart`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return response.ok;
}

/** @param {string} path */
async function demoCall(path) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(DEMO_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/**
 * The header of a bearer token, if there is one.
 *
 * @param {string} [token]
 * @returns {Record<string, string>}
 */
export const authorization = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/**
 * What a proxy in between might say is no JSON; it is shown as it is.
 *
 * @param {string} text
 * @param {number} status
 */
export function parse(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { code: `http_${status}`, detail: text.slice(0, 300) };
  }
}
