// A WebSocket client (RFC 6455) as small as it can be: text messages, pings answered, an orderly close.
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';

const TEXT = 1,
  BINARY = 2,
  CLOSE = 8,
  PING = 9,
  PONG = 10;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Emits `text` (string), `binary`, and at the end once `close` (code, reason). */
export class WebSocketClient extends EventEmitter {
  #socket;
  #unread = Buffer.alloc(0);
  /** @type {{ opcode: number, payloads: Buffer[] } | null} */
  #fragments = null;
  /** The subprotocol that the server selected. */
  protocol = '';
  #closed = false;

  constructor(socket, head) {
    super();
    this.#socket = socket;
    socket.on('data', (data) => this.#handleData(data));
    socket.on('error', () => this.#end(1006, ''));
    socket.on('close', () => this.#end(1006, ''));
    // What came with the handshake's answer is handed out after the caller had a chance to listen.
    if (head.length > 0) setImmediate(() => this.#handleData(head));
  }

  /**
   * Dials `url`; resolves once the handshake is done, with `protocol` as the server selected it.
   *
   * @param {string} url
   * @param {{ protocol?: string, headers?: Record<string, string>, timeoutMs?: number }} options
   * @returns {Promise<WebSocketClient>}
   */
  static connect(url, { protocol, headers = {}, timeoutMs = 60_000 } = {}) {
    const key = randomBytes(16).toString('base64');
    const { request } = new URL(url).protocol === 'wss:' ? https : http;
    const upgrade = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
      ...(protocol && { 'Sec-WebSocket-Protocol': protocol }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const dialling = request(url.replace(/^ws/, 'http'), { headers: upgrade, agent: false, timeout: timeoutMs });
      dialling.on('timeout', () => dialling.destroy(new Error('the handshake took too long')));
      dialling.on('error', reject);
      dialling.on('response', (response) => {
        response.resume();
        reject(new Error(`the server answered ${response.statusCode}`));
      });
      dialling.on('upgrade', (response, socket, head) => {
        const accept = createHash('sha1')
          .update(key + GUID)
          .digest('base64');
        if (response.headers['sec-websocket-accept'] !== accept) {
          socket.destroy();
          return reject(new Error('the server answered the handshake of another'));
        }
        socket.setTimeout(0);
        const client = new WebSocketClient(socket, head);
        client.protocol = response.headers['sec-websocket-protocol'] ?? '';
        resolve(client);
      });
      dialling.end();
    });
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  sendBinary(bytes) {
    this.#write(BINARY, bytes);
  }

  close(code = 1000) {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#write(CLOSE, payload);
    this.#socket.end();
  }

  #write(opcode, payload) {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    const mask = randomBytes(4);
    const length = payload.length;
    const header = length < 126 ? Buffer.from([0x80 | opcode, 0x80 | length]) : Buffer.alloc(length < 65_536 ? 4 : 10);
    if (length >= 126) {
      header[0] = 0x80 | opcode;
      header[1] = 0x80 | (length < 65_536 ? 126 : 127);
      if (length < 65_536) header.writeUInt16BE(length, 2);
      else header.writeBigUInt64BE(BigInt(length), 2);
    }
    this.#socket.write(Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
  }

  #handleData(data) {
    this.#unread = Buffer.concat([this.#unread, data]);
    while (!this.#closed) {
      const frame = this.#takeFrame();
      if (!frame) return;
      this.#handleFrame(frame);
    }
  }

  #takeFrame() {
    const bytes = this.#unread;
    if (bytes.length < 2) return null;
    const short = bytes[1] & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < start) return null;
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    // 128 KiB is beyond the longest frame of the protocol; a server's frames are never masked.
    if (length > 131_072 || bytes[1] & 0x80) {
      this.#socket.destroy();
      return null;
    }
    if (bytes.length < start + length) return null;
    this.#unread = bytes.subarray(start + length);
    return { final: (bytes[0] & 0x80) !== 0, opcode: bytes[0] & 0x0f, payload: bytes.subarray(start, start + length) };
  }

  #handleFrame({ final, opcode, payload }) {
    if (opcode === PING) return this.#write(PONG, payload);
    if (opcode === PONG) return;
    if (opcode === CLOSE) {
      this.#write(CLOSE, payload);
      this.#socket.end();
      return this.#end(payload.length >= 2 ? payload.readUInt16BE(0) : 1005, payload.subarray(2).toString());
    }
    /** @type {{ opcode: number, payloads: Buffer[] }} */
    const message = this.#fragments ?? { opcode, payloads: [] };
    this.#fragments = message;
    message.payloads.push(payload);
    if (!final) return;
    this.#fragments = null;
    if (message.opcode === TEXT) this.emit('text', Buffer.concat(message.payloads).toString());
    else this.emit('binary');
  }

  #end(code, reason) {
    if (this.#closed) return;
    this.#closed = true;
    this.emit('close', code, reason);
  }
}
