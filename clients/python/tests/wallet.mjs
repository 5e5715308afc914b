// A wallet for these tests: wallet.mjs URL SEED sign|reject|hold. Writes a line of JSON for each thing that happens, and goes on when its server
// comes back. With `hold` it signs what it has been asked when a line comes in.
import { createInterface } from 'node:readline';
import { ForeignWallet } from '../../../tests/foreign/client.mjs';
import { decodeBase64, introductionBytes, publicKeyOf, sign } from '../../../tests/foreign/ed25519.mjs';
import { WebSocketClient } from '../../../tests/foreign/websocket.mjs';

const [url, hex, conduct] = process.argv.slice(2);
const seed = Buffer.from(hex, 'hex');
const report = (event) => console.log(JSON.stringify(event));

/** By request_id, so that one that comes again is asked once. */
const asked = new Map();
let socket;

function handle(frame) {
  switch (frame.type) {
    case 'challenge': {
      const publicKey = publicKeyOf(seed);
      const signed = introductionBytes({ challenge: decodeBase64(frame.challenge, 32), publicKey, audience: url, origin: '' });
      return send({ type: 'introduction', public_key: publicKey.toString('base64'), proof: sign(seed, signed).toString('base64') });
    }
    case 'welcome':
      return report({ event: 'connected' });
    case 'sign_request':
      return ask(frame);
    case 'request_cancel':
      asked.delete(frame.request_id);
      return report({ event: 'cancelled', request_id: frame.request_id });
    case 'ping':
      return send({ type: 'pong', t: frame.t });
  }
}

function ask({ request_id, message }) {
  send({ type: 'request_status', request_id, state: 'received' });
  if (!asked.has(request_id)) report({ event: 'asked', request_id });
  asked.set(request_id, message);
  if (conduct === 'reject') send({ type: 'sign_reject', request_id, code: 'user_rejected', reason: 'not today', scope: 'key' });
}

function answerAll() {
  for (const [request_id, message] of asked) {
    const signature = sign(seed, decodeBase64(message)).toString('base64');
    send({ type: 'sign_response', request_id, message, signature, approved_by: 'human' });
  }
}

const send = (frame) => socket.send(JSON.stringify(frame));

async function held() {
  socket = await WebSocketClient.connect(url, { protocol: 'countersign.v1' });
  await new Promise((resolve) => {
    socket.on('text', (text) => handle(JSON.parse(text)));
    socket.on('close', resolve);
  });
}

const run = () => (conduct === 'sign' ? new ForeignWallet({ url, seed, report }).run() : held());

createInterface({ input: process.stdin })
  .on('line', answerAll)
  .on('close', () => process.exit());
for (;;) {
  await run().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
}
