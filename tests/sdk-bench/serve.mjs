// Serves a few files from memory to this machine: pages of 127.0.0.1 may use WebCrypto.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { portOf } from '../packaging/port.mjs';

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', wasm: 'application/wasm' };

/**
 * @param {Map<string, string | Buffer>} files bodies by path
 * @param {(body: string) => void} [hear] what is posted to any path
 */
export async function serve(files, hear = () => {}) {
  const server = createServer(async (request, response) => {
    const { method, url = '' } = request;
    if (method === 'POST') {
      hear(await text(request));
      response.writeHead(204).end();
      return;
    }
    const body = files.get(url);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': TYPES[url.split('.').at(-1)] ?? 'text/plain' });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
