// A backend of its own, that calls the API beside the page.

/** Asks for a signature over a text; `answer` resolves with { status, body }, `cancel()` hangs up. */
export function backendAsks(server, publicKey, text, more = {}) {
  const aborter = new AbortController();
  const body = { public_key: publicKey, message: Buffer.from(text).toString('base64'), ...more };
  const answer = server.sendToSign(body, { signal: aborter.signal });
  // Whoever hangs up does not wait for an answer.
  answer.catch(() => {});
  return { answer, cancel: () => aborter.abort() };
}
