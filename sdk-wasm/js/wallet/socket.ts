import { reasonOf } from '../common/errors.js';
import type { CoreWallet } from '../core.js';
import type { WebSocketConstructor } from '../platform/platform.js';
import type { FrameEvent } from './events.js';

/** What a wallet's sockets are made of, and who is told what comes over them. */
export interface SocketParts {
  core(): CoreWallet;
  readonly webSocket: WebSocketConstructor;
  /** Shows a text on the wire. */
  show(direction: FrameEvent['direction'], text: string): void;
}

/** A wallet's connection to its server: one socket at a time. One that was hung up is closed, reports nothing more and keeps nothing alive. */
export class Socket {
  readonly #parts: SocketParts;
  #socket: WebSocket | undefined;

  constructor(parts: SocketParts) {
    this.#parts = parts;
  }

  /** Opens a socket that takes texts of so many units of UTF-16. */
  dial(url: string, subprotocol: string, longest: number): void {
    const { core, webSocket, show } = this.#parts;
    let socket: WebSocket;
    try {
      socket = new webSocket(url, subprotocol) as WebSocket;
    } catch (error) {
      return core().not_made(reasonOf(error));
    }
    this.#socket = socket;
    socket.onopen = () => core().opened();
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (typeof data !== 'string') return core().received(undefined, 0);
      // UTF-8 is never shorter than UTF-16 counts, so this refuses nothing that would fit, before copying it.
      if (data.length > longest) return core().received(undefined, data.length);
      show('in', data);
      // Whoever was shown it may have closed the wallet.
      if (this.#socket === socket) core().received(data, 0);
    };
    socket.onclose = (event) => {
      this.hangUp();
      core().closed(event);
    };
    // Says nothing that the close event after it does not. It stays: Node's `ws` makes an error without listener an uncaught exception.
    socket.onerror = () => {};
  }

  /** Sends a text. A socket that cannot take it is about to report its close. */
  send(text: string): void {
    this.#parts.show('out', text);
    attempt(() => this.#socket?.send(text));
  }

  /** Closes without waiting for the other side. */
  hangUp(code?: number): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    attempt(() => socket.close(code));
  }
}

/** What sockets throw here says nothing that their close event does not. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {}
}
