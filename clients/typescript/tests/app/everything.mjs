// What the client does, in whichever runtime this runs.
import { Countersign, NetworkError, VerificationError, verifyWebhook } from 'countersign-client';

/** Resolves to what was seen; anything unexpected is thrown. */
export async function everything(server, publicKey, nobody) {
  const countersign = new Countersign(server);
  const message = new TextEncoder().encode('signed in a runtime');
  const signed = await countersign.sendToSign(publicKey, message);
  const batch = await countersign.sendToSignBatch(publicKey, [message, new Uint8Array([1, 2, 3])]);
  const submitted = await countersign.submit(publicKey, message);
  const states = [];
  for await (const { state } of submitted.follow()) states.push(state);
  const claims = await countersign.verifyReceipt(await submitted.receipt(), { message, publicKey, requestId: submitted.request_id });
  const lie = await countersign
    .verifyReceipt(await countersign.receipt(signed.request_id), { message: new Uint8Array([9]) })
    .catch((error) => error);
  const forged = await verifyWebhook('{}', new Headers(), await countersign.jwks()).catch((error) => error);
  const unreached = await new Countersign(nobody, { patienceMs: 300 }).signer(publicKey).catch((error) => error);
  const abort = new AbortController();
  const waiting = await countersign.submit('11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=', message, { queue: true });
  const following = waiting.follow({ signal: abort.signal });
  await following.next();
  const next = following.next().catch((error) => error.message);
  abort.abort(new Error('enough'));
  return {
    signature: signed.signature.length,
    batch: batch.map((result) => !(result instanceof Error)),
    end: states.at(-1),
    receipt: claims.state,
    lie: lie instanceof VerificationError,
    forged: forged instanceof VerificationError,
    unreached: unreached instanceof NetworkError,
    sent: unreached.sent,
    aborted: await next,
    cancelled: (await waiting.cancel()).state,
  };
}
