// What many would write in Node: `ws` for the wallets, node:http for the backends, node:crypto for the signatures.
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { failure, holds, listen, publicKey, signingServer, TIMEOUT_MS } from './signing.mjs';

const wallets = new Map();
const pending = new Map();

const server = signingServer(({ public_key, message }) => {
  const wallet = wallets.get(public_key);
  if (!wallet) throw failure(404, 'not connected');
  const request_id = randomUUID();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      pending.delete(request_id);
      reject(failure(504, 'timeout'));
    }, TIMEOUT_MS);
    pending.set(request_id, { public_key, message, timer, resolve, reject });
    wallet.send(JSON.stringify({ type: 'sign_request', request_id, message }));
  });
});

new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) => {
  let introduced;
  let key;
  socket.on('message', (data) => {
    const frame = JSON.parse(data.toString());
    if (frame.type === 'introduction') {
      introduced = frame.public_key;
      key = publicKey(introduced);
      wallets.set(introduced, socket);
    } else if (frame.type === 'sign_response') {
      finish(introduced, key, frame);
    }
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    if (wallets.get(introduced) === socket) wallets.delete(introduced);
  });
});

function finish(public_key, key, { request_id, message, signature }) {
  const request = pending.get(request_id);
  if (request?.public_key !== public_key) return;
  pending.delete(request_id);
  clearTimeout(request.timer);
  if (message === request.message && holds(key, request.message, signature)) {
    request.resolve({ request_id, public_key, message, signature });
  } else {
    request.reject(failure(502, 'invalid signature'));
  }
}

listen(server);
