// The same with socket.io, whose acknowledgements already join an answer to its request.
import { randomUUID } from 'node:crypto';
import { Server } from 'socket.io';
import { failure, holds, listen, publicKey, signingServer, TIMEOUT_MS } from './signing.mjs';

const wallets = new Map();

const server = signingServer(async ({ public_key, message }) => {
  const wallet = wallets.get(public_key);
  if (!wallet) throw failure(404, 'not connected');
  const request_id = randomUUID();
  const answer = await wallet.socket
    .timeout(TIMEOUT_MS)
    .emitWithAck('sign_request', { request_id, message })
    .catch(() => {
      throw failure(504, 'timeout');
    });
  if (answer.message !== message || !holds(wallet.key, message, answer.signature)) throw failure(502, 'invalid signature');
  return { request_id, public_key, message, signature: answer.signature };
});

new Server(server, { serveClient: false }).on('connection', (socket) => {
  let introduced;
  socket.on('introduction', ({ public_key }) => {
    introduced = public_key;
    wallets.set(public_key, { socket, key: publicKey(public_key) });
  });
  socket.on('disconnect', () => {
    if (wallets.get(introduced)?.socket === socket) wallets.delete(introduced);
  });
});

listen(server);
