// A TCP proxy between a wallet and the server, which can cut their connection.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { portOf } from '../packaging/port.mjs';

export class TcpProxy {
  #listener;
  #sockets = new Set();
  #isCut = false;
  #to = 0;

  constructor() {
    this.#listener = createServer((socket) => this.#carry(socket));
  }

  static async open() {
    const proxy = new TcpProxy();
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  /** Where wallets dial. */
  get url() {
    return `ws://127.0.0.1:${portOf(this.#listener)}/ws`;
  }

  /** Leads to this port from now on. */
  leadTo(port) {
    this.#to = port;
  }

  /** Breaks all connections, and each new one until `mend()`. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nothing gets through on the connections that there are, and nobody is told. */
  stall() {
    for (const socket of this.#sockets) socket.unpipe();
  }

  mend() {
    this.#isCut = false;
  }

  async close() {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #carry(near) {
    if (this.#isCut) return near.destroy();
    const far = connect(this.#to, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(from);
      // What ends or fails on one side is gone on the other.
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
