// What goes over a page's WebSockets, and what is kept from getting through.

import { until } from './until.mjs';

/** Reads along. */
export class Wire {
  #frames = [];

  constructor(page) {
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => this.#frames.push({ direction: 'in', ...JSON.parse(payload) }));
      socket.on('framesent', ({ payload }) => this.#frames.push({ direction: 'out', ...JSON.parse(payload) }));
    });
  }

  /** The frames of one type so far. */
  frames(type) {
    return this.#frames.filter((frame) => frame.type === type);
  }

  /** Waits until so many frames of this type have passed. */
  async passed(type, count = 1) {
    await until(`${count} ${type} on the wire`, () => this.frames(type).length >= count);
    return this.frames(type);
  }
}

/** Stands between the pages of a context, or one page, and the server. Attached before the page is loaded. */
export class Gate {
  #held = new Set();
  #stopped = [];
  #sockets = new Set();
  #isCut = false;

  async attach(pageOrContext) {
    this.#held.clear();
    this.#stopped = [];
    this.#isCut = false;
    await pageOrContext.routeWebSocket(/\/ws$/, (socket) => {
      if (this.#isCut) return void socket.close({ code: 1001 });
      this.#sockets.add(socket);
      const server = socket.connectToServer();
      server.onMessage((text) => {
        const { type } = JSON.parse(text);
        if (this.#held.has(type)) this.#stopped.push(type);
        else socket.send(text);
      });
      socket.onMessage((text) => {
        const { type } = JSON.parse(text);
        if (this.#held.has(type)) this.#stopped.push(type);
        else server.send(text);
      });
      socket.onClose((code, reason) => {
        this.#sockets.delete(socket);
        return server.close({ code, reason });
      });
    });
  }

  /** From now on frames of this type get lost on their way, whoever sends them. */
  hold(type) {
    this.#held.add(type);
  }

  /** Lets frames of this type through again. */
  release(type) {
    this.#held.delete(type);
  }

  /** Waits until a frame of this type was lost. */
  async stopped(type) {
    await until(`${type} was held back`, () => this.#stopped.includes(type));
  }

  /** Breaks all connections, and each new one until `mend()`. */
  async cut() {
    this.#isCut = true;
    await Promise.all([...this.#sockets].map((socket) => socket.close({ code: 1001 })));
  }

  mend() {
    this.#isCut = false;
  }
}
