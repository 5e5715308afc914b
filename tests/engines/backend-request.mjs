// A backend's request, and how it ends for the backend.

import assert from 'node:assert/strict';
import { backendAsks } from '../browser/backend.mjs';
import { verifies } from '../browser/keys.mjs';

/** A call that waits for the signature: `signed`, or the code of the problem it got, or that the call broke off. */
export function waitingRequest(server, publicKey, text) {
  const { answer, cancel } = backendAsks(server, publicKey, text);
  return {
    hangUp: cancel,
    end: () => answer.then(({ status, body }) => (status === 200 ? signed(body, text) : body.code)).catch(() => 'no answer'),
  };
}

/** A request that outlives its call and the server: the state that it ends with. */
export async function durableRequest(fixture, publicKey, text) {
  const message = Buffer.from(text).toString('base64');
  const { body } = await fixture.server.sendToSign(
    { public_key: publicKey, message, queue: true },
    { headers: { prefer: 'respond-async' } },
  );
  const { request_id: id } = body;
  return {
    async withdraw() {
      const response = await fetch(`${fixture.server.url}/v1/requests/${id}`, { method: 'DELETE' });
      assert.equal(response.status, 200);
    },
    async end() {
      const request = await fixture.server.request(id, { waitSeconds: 60 });
      return request.state === 'signed' ? signed(request, text) : request.state;
    },
  };
}

function signed(answer, text) {
  assert.ok(verifies(answer, text), 'the signature does not hold');
  return 'signed';
}
