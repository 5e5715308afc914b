// The second WebAssembly file, where it does not lie where a page said.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanups, code, walletOf, welcomed } from './bench.mjs';
import { init, verify } from './package.mjs';
import { FakeServer } from './server.mjs';

const { privateKey, publicKey: pair } = generateKeyPairSync('ed25519');
const publicKey = Buffer.from(pair.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
const key = { publicKey, storage: 'elsewhere', sign: (bytes) => new Uint8Array(sign(null, bytes, privateKey)) };
const message = Buffer.from('hello');

test('what cannot be verified is not sent, the file is named, and once it is there all goes on', async () => {
  const missing = fileURLToPath(new URL('./no-such-file.wasm', import.meta.url));
  await init(undefined, { ed25519: missing });
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());

  const wallet = walletOf(server, key);
  const connecting = wallet.connect();
  const peer = await server.peer();
  peer.send('challenge', { challenge: Buffer.alloc(32, 1).toString('base64') });
  await assert.rejects(connecting, code('signer_failed', missing));
  await peer.closed;
  assert.equal(peer.frames.length, 0, 'no introduction');
  const signature = sign(null, message, privateKey).toString('base64');
  await assert.rejects(verify(publicKey, message, signature), code('wasm_not_found'));

  await init(undefined, { ed25519: fileURLToPath(new URL('../dist/ed25519.wasm', import.meta.url)) });
  assert.equal(await verify(publicKey, message, signature), true);
  await welcomed(server, wallet);
  assert.equal(wallet.state, 'connected');
});
