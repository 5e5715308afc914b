// node quickstart.mjs KEY: asks the wallet with this key, and prints signature, receipt and webhook once each has been verified.
import { createServer } from 'node:http';
import { Countersign } from 'countersign-client';

const { COUNTERSIGN_URL = 'http://127.0.0.1:8080', COUNTERSIGN_TOKEN, PORT = '9000' } = process.env;
const [, , publicKey] = process.argv;
const countersign = new Countersign(COUNTERSIGN_URL, { token: COUNTERSIGN_TOKEN });
const message = new TextEncoder().encode(`Pay 25 EUR to Alice for order 1042, ${new Date().toISOString()}`);

const receiver = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const event = await countersign.verifyWebhook(body, request.headers).catch(() => undefined);
  response.writeHead(event ? 204 : 400, { connection: 'close' }).end();
  if (!event) return;
  console.log(`webhook: ${event.data.state}`);
  receiver.close();
}).listen(Number(PORT), '127.0.0.1');

const signed = await countersign.sendToSign(publicKey, message, { purpose: 'Order 1042', webhook: `http://127.0.0.1:${PORT}/hook` });
console.log(`signature: ${Buffer.from(signed.signature).toString('base64')}`);
const claims = await countersign.verifyReceipt(await countersign.receipt(signed.request_id), { message, publicKey });
console.log(`receipt: ${claims.state} by ${claims.approved_by}`);
