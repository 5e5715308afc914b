// What a backend in TypeScript does with the types that openapi-typescript makes, and openapi-fetch.

import createClient from 'openapi-fetch';
import type { components, paths } from './countersign.ts';

type Schemas = components['schemas'];

const { COUNTERSIGN_URL: baseUrl = '', KEY: public_key = '', NOBODY: nobody = '', MESSAGE: message = '' } = process.env;
const client = createClient<paths>({ baseUrl });

const ask = (body: Schemas['Ask'], headers = {}) => client.POST('/v1/send_to_sign', { params: { header: headers }, body });

const signed = await ask({ public_key, message });
const batch = await client.POST('/v1/batches', { body: { public_key, messages: [message, message] } });
const accepted = await ask({ public_key, message }, { Prefer: 'respond-async', 'Idempotency-Key': 'typescript' });
if (!accepted.data) throw new Error('not accepted');
const { request_id } = accepted.data;
const ended = await client.GET('/v1/requests/{id}', { params: { path: { id: request_id }, query: { wait: 30 } } });
const receipt = await client.GET('/v1/requests/{id}/receipt.json', { params: { path: { id: request_id } } });
const refused = await ask({ public_key: nobody, message });

const seen = {
  signature: signed.data?.signature,
  batch: batch.data?.requests.map(({ signature }) => signature),
  accepted: accepted.response.status,
  request_id,
  state: ended.data?.state,
  ended_ms: ended.data?.times.ended_ms,
  receipt: receipt.data?.receipt,
  error: refused.error?.code,
  errorStatus: refused.error?.status,
};
console.log(JSON.stringify(seen));
