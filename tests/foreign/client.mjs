#!/usr/bin/env node
// A wallet in plain Node, written from protocol/README.md alone: it connects, introduces itself and signs whatever it is asked.
//
//   node client.mjs ws://127.0.0.1:8080/ws [--seed HEX] [--count N]
//
// Writes one line of JSON for each thing that happens. Ends after N signatures that were taken, or when the server closes.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeBase64, introductionBytes, publicKeyOf, RESERVED_PREFIX, sign } from './ed25519.mjs';
import { WebSocketClient } from './websocket.mjs';

const PATIENCE_MS = 10_000;

export class ForeignWallet {
  #seed;
  #audience;
  #socket;
  #report;
  /** Answers by request_id: a repeated request gets the same one again (§7.5). */
  #answers = new Map();
  #heartbeat;

  /** @param {{ url: string, seed?: Buffer, report?(event: { event: string } & Record<string, any>): unknown }} options */
  constructor({ url, seed = randomBytes(32), report = () => {} }) {
    this.#seed = seed;
    const dialled = new URL(url);
    this.#audience = `${dialled.protocol}//${dialled.host}${dialled.pathname}`;
    this.#report = report;
    this.publicKey = publicKeyOf(seed);
  }

  /** Resolves when the server or `close()` has ended the connection. */
  async run() {
    this.#socket = await WebSocketClient.connect(this.#audience, { protocol: 'countersign.v1' });
    return new Promise((resolve) => {
      this.#socket.on('text', (text) => this.#handleText(text));
      this.#socket.on('close', (code, reason) => {
        clearTimeout(this.#heartbeat);
        this.#report({ event: 'closed', code, reason });
        resolve({ code, reason });
      });
    });
  }

  close() {
    this.#socket?.close();
  }

  #send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  #handleText(text) {
    this.#listenFor(this.heartbeatMs);
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    switch (frame?.type) {
      case 'challenge':
        return this.#introduce(frame);
      case 'welcome':
        return this.#handleWelcome(frame);
      case 'sign_request':
        return this.#answer(frame);
      case 'request_cancel':
        return this.#report({ event: 'cancelled', request_id: frame.request_id, cause: frame.cause });
      case 'response_ack':
        return this.#report({ event: 'acknowledged', request_id: frame.request_id, outcome: frame.outcome });
      case 'ping':
        this.#report({ event: 'heartbeat' });
        return this.#send({ type: 'pong', t: frame.t });
      case 'pong':
        return this.#report({ event: 'heartbeat' });
      case 'error':
        return this.#report({ event: 'error', code: frame.code, message: frame.message });
      case 'goodbye':
        return this.#report({ event: 'goodbye', reason: frame.reason, reconnect_after_ms: frame.reconnect_after_ms });
    }
  }

  #introduce({ challenge }) {
    const signed = introductionBytes({
      challenge: decodeBase64(challenge, 32),
      publicKey: this.publicKey,
      audience: this.#audience,
      origin: '',
    });
    this.#send({
      type: 'introduction',
      public_key: this.publicKey.toString('base64'),
      proof: sign(this.#seed, signed).toString('base64'),
      device: { id: 'foreign', label: 'Plain Node' },
    });
  }

  #handleWelcome({ connection_id, heartbeat_ms }) {
    this.heartbeatMs = heartbeat_ms;
    this.#listenFor(heartbeat_ms);
    this.#report({ event: 'connected', connection_id, public_key: this.publicKey.toString('base64') });
  }

  #answer({ request_id, message, requester, purpose }) {
    const answered = this.#answers.get(request_id);
    if (answered) {
      // The same request once more; another message under its name is another thing, and is not signed.
      const answer = answered.message === message ? answered.answer : unsupported(request_id, 'device');
      return this.#send(answer);
    }
    const answer = this.#decide(request_id, message);
    this.#answers.set(request_id, { message, answer });
    this.#send({ type: 'request_status', request_id, state: 'received' });
    this.#report({ event: 'asked', request_id, requester: requester?.name, purpose });
    this.#send(answer);
  }

  #decide(request_id, message) {
    let bytes;
    try {
      bytes = decodeBase64(message);
    } catch {
      return unsupported(request_id, 'device');
    }
    if (bytes.subarray(0, RESERVED_PREFIX.length).equals(RESERVED_PREFIX)) return unsupported(request_id, 'key');
    const signature = sign(this.#seed, bytes).toString('base64');
    return { type: 'sign_response', request_id, message, signature, approved_by: 'policy:sign-everything' };
  }

  /** Asks for a sign of life after a silence, and takes the connection for dead when none comes (§8). */
  #listenFor(ms) {
    clearTimeout(this.#heartbeat);
    if (ms === undefined) return;
    this.#heartbeat = setTimeout(() => {
      this.#send({ type: 'ping', t: Math.trunc(performance.now()) });
      this.#heartbeat = setTimeout(() => this.close(), PATIENCE_MS);
    }, ms);
  }
}

const unsupported = (request_id, scope) => ({ type: 'sign_reject', request_id, code: 'unsupported', scope });

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, count: { type: 'string' } },
  });
  const [url] = positionals;
  if (!url) throw new Error('usage: client.mjs URL [--seed HEX] [--count N]');
  let left = values.count === undefined ? Infinity : Number(values.count);
  const wallet = new ForeignWallet({
    url,
    seed: values.seed === undefined ? undefined : Buffer.from(values.seed, 'hex'),
    report(event) {
      if (event.event !== 'heartbeat') console.log(JSON.stringify(event));
      if (event.event === 'acknowledged' && event.outcome === 'accepted' && --left === 0) wallet.close();
    },
  });
  const { code } = await wallet.run();
  process.exitCode = left === 0 || (left === Infinity && (code === 1000 || code === 1012)) ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
