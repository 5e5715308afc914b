// A server of the protocol that does what a test tells it, written from protocol/README.md with Node's own cryptography.
import { createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * A frame as it stands on the wire.
 *
 * @typedef {{ type: string } & Record<string, any>} Frame
 */

/**
 * Verifies with OpenSSL, knowing nothing of the package's own code.
 *
 * @param {string} publicKey
 * @param {Uint8Array} bytes
 * @param {string} signature
 */
export function holds(publicKey, bytes, signature) {
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, Buffer.from(publicKey, 'base64')]), format: 'der', type: 'spki' });
  return verify(null, bytes, key, Buffer.from(signature, 'base64'));
}

/**
 * The bytes of a proof, specification §3.
 *
 * @param {{ challenge: string, publicKey: string, audience: string, origin: string }} of
 */
export function introductionBytes({ challenge, publicKey, audience, origin }) {
  /** @param {string} text */
  const prefixed = (text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat([
    Buffer.from([0xff]),
    Buffer.from('countersign/v1/introduction'),
    Buffer.from([0]),
    Buffer.from(challenge, 'base64'),
    Buffer.from(publicKey, 'base64'),
    prefixed(audience),
    prefixed(origin),
  ]);
}

/**
 * Things that arrive, in order, whether they are waited for before or after.
 *
 * @template Item
 */
class Queue {
  /** @type {Item[]} */
  #items = [];
  /** @type {((item: Item) => void)[]} */
  #waiting = [];

  /** @param {Item} item */
  push(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  /** @returns {Promise<Item>} */
  next() {
    const [item] = this.#items.splice(0, 1);
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }

  get length() {
    return this.#items.length;
  }
}

/**
 * The port that the system chose.
 *
 * @param {{ address(): import('node:net').AddressInfo | string | null }} server
 */
export function portOf(server) {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on no port');
  return address.port;
}

/** A wallet's connection, from the server's side. */
export class Peer {
  #socket;
  /** @type {Queue<Frame>} */
  frames = new Queue();
  /** @type {Promise<number>} */
  closed;

  /**
   * @param {import('ws').WebSocket} socket
   * @param {string} protocol
   */
  constructor(socket, protocol) {
    this.#socket = socket;
    this.protocol = protocol;
    socket.on('message', (data) => this.frames.push(JSON.parse(data.toString())));
    this.closed = once(socket, 'close').then(([code]) => code);
  }

  /**
   * @param {string} type
   * @param {object} fields
   */
  send(type, fields = {}) {
    this.#socket.send(JSON.stringify({ type, ...fields }));
  }

  /** @param {import('ws').Data} data */
  sendRaw(data) {
    this.#socket.send(data);
  }

  /**
   * The next frame, which has to be of this type.
   *
   * @param {string} type
   */
  async next(type) {
    const frame = await this.frames.next();
    if (frame.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(frame)}`);
    return frame;
  }

  /** Reads nothing more, as a server that paces a wallet does, until `resume()`. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close(code, reason) {
    this.#socket.close(code, reason);
  }

  /** As a cable that is pulled. */
  drop() {
    this.#socket.terminate();
  }

  async introduce() {
    const challenge = randomBytes(32).toString('base64');
    this.send('challenge', { challenge });
    return { challenge, introduction: await this.next('introduction') };
  }

  async welcome({ heartbeatMs = 20_000, maxInflight = 16, maxMessageBytes = 65_536 } = {}) {
    const introduced = await this.introduce();
    const connectionId = randomUUID();
    this.send('welcome', {
      connection_id: connectionId,
      heartbeat_ms: heartbeatMs,
      limits: { max_message_bytes: maxMessageBytes, max_inflight: maxInflight },
    });
    return { ...introduced, connectionId };
  }

  /**
   * Asks for a signature and waits for `received`; answers the request's id.
   *
   * @param {string | Uint8Array} message
   * @param {{ id?: string, attempt?: number, expiresInMs?: number, purpose?: string, requester?: string, received?: boolean }} options
   */
  async ask(message, { id = randomUUID(), attempt = 1, expiresInMs = 60_000, purpose, requester = 'Example Shop', received = true } = {}) {
    this.send('sign_request', {
      request_id: id,
      message: Buffer.from(message).toString('base64'),
      expires_in_ms: expiresInMs,
      attempt,
      requester: { name: requester },
      ...(purpose && { purpose }),
    });
    if (received) await this.next('request_status');
    return id;
  }

  /**
   * Asks for several signatures at once and waits for each `received`; answers the ids.
   *
   * @param {(string | Uint8Array)[]} messages
   * @param {{ id?: string, purposes?: (string | undefined)[] }} options
   */
  async askBatch(messages, { id = randomUUID(), purposes = messages.map(() => 'Order 1042') } = {}) {
    const ids = messages.map(() => randomUUID());
    for (const [index, message] of messages.entries()) {
      this.send('sign_request', {
        request_id: ids[index],
        message: Buffer.from(message).toString('base64'),
        expires_in_ms: 60_000,
        attempt: 1,
        requester: { name: 'Example Shop' },
        purpose: purposes[index],
        batch: { id, index, size: messages.length },
      });
    }
    for (const _ of messages) await this.next('request_status');
    return ids;
  }

  /**
   * @param {string} id
   * @param {string} outcome
   */
  acknowledge(id, outcome) {
    this.send('response_ack', { request_id: id, outcome });
  }
}

export class FakeServer {
  #server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws', handleProtocols: ([offered]) => offered ?? false });
  /** @type {Queue<Peer>} */
  #peers = new Queue();
  url = '';

  static async start() {
    const server = new FakeServer();
    server.#server.on('connection', (socket) => server.#peers.push(new Peer(socket, socket.protocol)));
    await once(server.#server, 'listening');
    server.url = `ws://127.0.0.1:${portOf(server.#server)}/ws`;
    return server;
  }

  /** The next connection. */
  peer() {
    return this.#peers.next();
  }

  get waitingPeers() {
    return this.#peers.length;
  }

  async stop() {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
