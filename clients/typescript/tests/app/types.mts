// What a caller writes in TypeScript, compiled and never run.
import {
  type ClientOptions,
  Countersign,
  type CountersignError,
  type JwkSet,
  type ReceiptClaims,
  RejectedError,
  type RequestResource,
  type Signed,
  type Submitted,
  verifyReceipt,
  verifyWebhook,
  type WebhookEvent,
} from 'countersign-client';

const options: ClientOptions = { token: 'x', durable: false, verify: () => true };
const countersign: Countersign = new Countersign(['https://a.example', 'https://b.example'], options);

export async function typed(key: string | Uint8Array, message: Uint8Array, keys: JwkSet, signal: AbortSignal): Promise<string> {
  const signed: Signed = await countersign.sendToSign(key, message, { timeoutMs: 1_000, queue: true, signal });
  const results: (Signed | CountersignError)[] = await countersign.sendToSignBatch(key, [message]);
  const submitted: Submitted = await countersign.submit(key, message, { idempotencyKey: 'x' });
  for await (const request of submitted.follow()) {
    const told: RequestResource = request;
    if (told.error?.code === 'rejected') return told.error.reason ?? '';
  }
  const claims: ReceiptClaims = await verifyReceipt('', keys, { message });
  const event: WebhookEvent = await verifyWebhook(message, { 'webhook-id': ['x'] }, 'whpk_');
  // @ts-expect-error A message is bytes.
  await countersign.sendToSign(key, 'text');
  // @ts-expect-error Options have the names of TypeScript.
  await countersign.sendToSign(key, message, { timeout_ms: 1 });
  const [first] = results;
  if (first instanceof RejectedError) return first.reject_code ?? '';
  return signed.public_key + claims.jti + event.data.state;
}
