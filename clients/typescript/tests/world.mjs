// The real server behind a proxy that stays where it is while the server dies and comes back, and wallets that do as a test says.

import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { introductionBytes, publicKeyOf, sign } from '../../../tests/foreign/ed25519.mjs';
import { startServer } from '../../../tests/foreign/server.mjs';
import { WebSocketClient } from '../../../tests/foreign/websocket.mjs';

// A hung test ends, a slow one does not.
export const PATIENCE = { timeout: 60_000 };

/** Things that arrive, in order, whether they are waited for before or after. */
export class Queue {
  #items = [];
  #waiting = [];

  push(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  next() {
    return this.#items.length > 0 ? Promise.resolve(this.#items.shift()) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** What a test has started, ended in the reverse order however the test went. */
export class Cleanups {
  #all = [];

  add(cleanup) {
    this.#all.push(cleanup);
  }

  async run() {
    for (const cleanup of this.#all.splice(0).reverse()) await cleanup();
  }
}

/**
 * Rows of a table, whose columns have types of their own.
 *
 * @param {any[][]} rows
 */
export const table = (rows) => rows;

/** @param {any} server */
export const portOf = (server) => server.address().port;

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

/** Passes connections on to a port that may change; `cutAnswers` has so many of the next ones cut when the server begins to answer. */
class TcpProxy extends EventEmitter {
  target = 0;
  cutAnswers = 0;
  #sockets = new Set();
  #server = createServer((near) => this.#pass(near));

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return portOf(this.#server);
  }

  #pass(near) {
    const far = connect(this.target, '127.0.0.1');
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (data) => {
      if (this.cutAnswers > 0 && data.toString('latin1').startsWith('HTTP/1.1 2')) {
        this.cutAnswers--;
        this.emit('cut');
        near.destroy();
      } else near.write(data);
    });
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A server with a data directory, that can be killed and started again at the same address. */
export class World {
  proxy = new TcpProxy();
  url = '';
  ws = '';
  #data;
  #flags;
  #server;

  static async start(...flags) {
    const world = new World();
    const port = await world.proxy.listen();
    world.url = `http://127.0.0.1:${port}`;
    world.ws = `ws://127.0.0.1:${port}/ws`;
    world.#data = await mkdtemp(join(tmpdir(), 'countersign-client-'));
    world.#flags = ['--audience', world.ws, '--data-dir', world.#data, ...flags];
    await world.startServer();
    return world;
  }

  async startServer() {
    this.#server = await startServer(...this.#flags);
    this.proxy.target = Number(new URL(this.#server.http).port);
  }

  /** Ends the server as a crash does. */
  kill() {
    return this.#server.kill();
  }

  /** Ends it as its operator does. */
  terminate() {
    return this.#server.stop();
  }

  async stop() {
    await this.#server.stop();
    await this.proxy.close();
    await rm(this.#data, { recursive: true, force: true });
  }
}

/**
 * A wallet that does as `decide` says: `'sign'`, `'silent'`, or the members of a rejection. It answers a repeated request as it did the
 * first time, so `asked` has each prompt once.
 */
export class Wallet {
  #seed;
  #url;
  #decide;
  #socket;
  #answers = new Map();
  asked = new Queue();
  cancelled = new Queue();
  prompts = [];

  /**
   * @param {string} url
   * @param {(request: any) => any} decide
   * @param {Buffer} seed
   */
  constructor(url, decide = () => 'sign', seed = randomBytes(32)) {
    this.#url = url;
    this.#decide = decide;
    this.#seed = seed;
    this.publicKey = publicKeyOf(seed).toString('base64');
  }

  /** Resolves when the server has welcomed it. */
  async connect() {
    this.#socket = await WebSocketClient.connect(this.#url, { protocol: 'countersign.v1' });
    const socket = this.#socket;
    await new Promise((resolve, reject) => {
      socket.on('close', (code) => reject(new Error(`the wallet was closed with ${code}`)));
      socket.on('text', (text) => this.#handle(socket, JSON.parse(text), resolve));
    });
    return this;
  }

  /** Says what it has left unsaid. */
  answer(request, decision) {
    const { request_id, message } = request;
    const signature = sign(this.#seed, Buffer.from(message, 'base64')).toString('base64');
    const answer =
      decision === 'sign'
        ? { type: 'sign_response', request_id, message, signature, approved_by: 'human' }
        : { type: 'sign_reject', request_id, scope: 'key', ...decision };
    this.#answers.set(request_id, answer);
    this.#socket.send(JSON.stringify(answer));
  }

  close() {
    this.#socket?.close();
  }

  #handle(socket, frame, welcomed) {
    if (frame.type === 'challenge') this.#introduce(socket, frame.challenge);
    if (frame.type === 'welcome') welcomed();
    if (frame.type === 'ping') socket.send(JSON.stringify({ type: 'pong', t: frame.t }));
    if (frame.type === 'request_cancel') this.cancelled.push(frame);
    if (frame.type === 'sign_request') this.#ask(socket, frame);
  }

  #introduce(socket, challenge) {
    const publicKey = publicKeyOf(this.#seed);
    const bytes = introductionBytes({ challenge: Buffer.from(challenge, 'base64'), publicKey, audience: this.#url, origin: '' });
    const device = { id: 'test', label: 'Test wallet' };
    socket.send(
      JSON.stringify({ type: 'introduction', public_key: this.publicKey, proof: sign(this.#seed, bytes).toString('base64'), device }),
    );
  }

  #ask(socket, frame) {
    socket.send(JSON.stringify({ type: 'request_status', request_id: frame.request_id, state: 'received' }));
    const answered = this.#answers.get(frame.request_id);
    if (answered) return socket.send(JSON.stringify(answered));
    if (this.prompts.includes(frame.request_id)) return;
    this.prompts.push(frame.request_id);
    const decision = this.#decide(frame);
    if (decision !== 'silent') this.answer(frame, decision);
    this.asked.push(frame);
  }
}

/** A server that answers each call with what `answer` gives: `{ status, headers, body }`, or nothing where it has answered by itself. */
export async function fakeServer(answer) {
  const calls = [];
  const server = createHttpServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const call = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: body.length > 0 ? JSON.parse(body.toString()) : undefined,
    };
    calls.push(call);
    const answered = await answer(call, response);
    if (!answered) return;
    const { status = 200, headers = {}, body: told } = answered;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof told === 'string' || Buffer.isBuffer(told) ? told : JSON.stringify(told));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${portOf(server)}`, calls, close };
}

/** A problem document. */
export const problem = (status, code, headers = {}, members = {}) => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: { type: `urn:countersign:error:${code}`, title: 'x', status, detail: 'as it is', code, ...members },
});

/** Time that goes on when somebody sleeps, and only then; exchanges never run out of it. */
export class TestClock {
  at = 1_800_000_000_000;
  slept = [];

  now() {
    return this.at;
  }

  elapsed() {
    return this.at;
  }

  /** Sleeps that watch over an exchange are as long as one: those never end. */
  async sleep(ms, signal) {
    if (ms >= 15_000) return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.at += ms;
  }
}

/** A request that ended with a signature of this key as it should, as the API has it. */
export const signedRequestBy = (seed, message, changed = {}) => ({
  public_key: publicKeyOf(seed).toString('base64'),
  state: 'signed',
  attempt: 1,
  requester: { name: 'x' },
  deliver_by_ms: 1,
  expires_at_ms: 2,
  times: { queued_ms: 1 },
  message: Buffer.from(message).toString('base64'),
  signature: sign(seed, message).toString('base64'),
  ...changed,
});
