// An MCP server on stdio: an agent asks its human for signatures. Whose, and of which server, is the operator's to say and not the model's.

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { Countersign, type RequestResource } from 'countersign-client';
import { z } from 'zod';
import { advice, inWords } from './words.js';

const { COUNTERSIGN_URL = 'http://127.0.0.1:8080', COUNTERSIGN_TOKEN, COUNTERSIGN_PUBLIC_KEY } = process.env;
if (!COUNTERSIGN_PUBLIC_KEY) throw new Error('COUNTERSIGN_PUBLIC_KEY is the key of the human who may be asked');
const publicKey = COUNTERSIGN_PUBLIC_KEY;
// MCP's clients give a call up after a minute: patience and the longest wait are within it.
const countersign = new Countersign(COUNTERSIGN_URL, { token: COUNTERSIGN_TOKEN, patienceMs: 10_000 });

const requestId = z.string().uuid().describe('As request_signature has told it.');
const waitSeconds = z.number().int().min(0).max(30).default(20).describe('How long to wait for the human; then look again by get_request.');

const outputSchema = {
  request_id: z.string(),
  state: z.enum(['queued', 'delivered', 'received', 'displayed', 'signed', 'rejected', 'expired', 'cancelled']),
  message: z.string().describe('What is or was to be signed.'),
  public_key: z.string(),
  expires_at: z.string(),
  signature: z.string().optional().describe('Ed25519 over the message, in base64; verified.'),
  approved_by: z.string().optional(),
  error: z.object({ code: z.string(), detail: z.string(), reason: z.string().optional() }).optional(),
  next: z.string().describe('What to do now.'),
};

const server = new McpServer({ name: 'countersign', version: '0.1.0' });

server.registerTool(
  'request_signature',
  {
    title: 'Ask the human for a signature',
    description:
      'Shows a text to the human in their wallet and asks for their signature over it. It may take them long: where the state is not an end yet, call get_request later. Never ask anew for what was declined, unless the human tells you to.',
    inputSchema: {
      message: z.string().min(1).max(16_384).describe('The text to sign. It says all that matters: who, what, how much, when.'),
      reference: z
        .string()
        .regex(/^[\x21-\x7e]{1,100}$/)
        .describe('Your name for this one wish, such as order-1042. The same call under it asks nobody twice.'),
      purpose: z.string().min(1).max(256).optional().describe('Why, in a few words; the human sees it as your claim.'),
      expires_in_minutes: z.number().int().min(1).max(10_080).default(60),
      wait_seconds: waitSeconds,
    },
    outputSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  },
  ({ message, reference, purpose, expires_in_minutes, wait_seconds }, { signal }) =>
    told(async () => {
      const submitted = await countersign.submit(publicKey, new TextEncoder().encode(message), {
        ...(purpose === undefined ? {} : { purpose }),
        timeoutMs: expires_in_minutes * 60_000,
        queue: true,
        idempotencyKey: `agent:${reference}`,
        signal,
      });
      return submitted.wait({ seconds: wait_seconds, signal });
    }),
);

server.registerTool(
  'get_request',
  {
    title: 'Look at a request',
    description: 'How a request stands: waits a while for its end. Call it again while next says so.',
    inputSchema: { request_id: requestId, wait_seconds: waitSeconds },
    outputSchema,
    annotations: { readOnlyHint: true },
  },
  ({ request_id, wait_seconds }, { signal }) => told(() => countersign.wait(request_id, { seconds: wait_seconds, signal })),
);

server.registerTool(
  'cancel_request',
  {
    title: 'Withdraw a request',
    description: 'Withdraws a request: its prompt disappears. One that has ended stays as it is.',
    inputSchema: { request_id: requestId },
    outputSchema,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
  },
  ({ request_id }, { signal }) => told(() => countersign.cancel(request_id, { signal })),
);

/** How a request stands, or what went wrong, in words and in members. */
async function told(call: () => Promise<RequestResource>): Promise<CallToolResult> {
  try {
    const request = await call();
    const { request_id, state, public_key, signature, approved_by, error } = request;
    const structuredContent = {
      request_id,
      state,
      message: Buffer.from(request.message, 'base64').toString(),
      public_key,
      expires_at: new Date(request.expires_at_ms).toISOString(),
      signature,
      approved_by,
      error: error && { code: error.code, detail: error.detail, reason: error.reason },
      next: advice(request),
    };
    return { structuredContent, content: [{ type: 'text', text: JSON.stringify(structuredContent) }] };
  } catch (error) {
    return { isError: true, content: [{ type: 'text', text: inWords(error) }] };
  }
}

await server.connect(new StdioServerTransport());
