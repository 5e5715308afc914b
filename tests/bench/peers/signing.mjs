// What both Node peers do alike: read a request, check a signature, answer.
import { createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';

export const TIMEOUT_MS = 60_000;

/** A base64 public key as Node's verifier wants it: made once per wallet, since it is costly. */
export function publicKey(base64) {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(base64, 'base64').toString('base64url') }, format: 'jwk' });
}

/** Whether a base64 signature holds over a base64 message. */
export function holds(key, message, signature) {
  return verify(null, Buffer.from(message, 'base64'), key, Buffer.from(signature, 'base64'));
}

/** An HTTP server whose one route calls `sendToSign(ask)` and answers what it returns, or the status it throws. */
export function signingServer(sendToSign) {
  return createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method !== 'POST' || request.url !== '/send_to_sign') return answer(response, 404, { error: 'not found' });
    try {
      answer(response, 200, await sendToSign(JSON.parse(Buffer.concat(chunks).toString())));
    } catch (cause) {
      const { status = 500, message } = /** @type {{ status?: number, message: string }} */ (cause);
      answer(response, status, { error: message });
    }
  });
}

/** An error that has an HTTP status. */
export function failure(status, message) {
  return Object.assign(new Error(message), { status });
}

/** Listens on a port that the system chooses, and says which. */
export function listen(server) {
  server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
}

function answer(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
