/**
 * A man in the middle: a `WebSocket` constructor to give to a wallet, whose frames all pass through somebody's hands.
 *
 * @param {typeof WebSocket} Real the WebSocket to stand in front of
 * @param {{ rewrite?: Rewrite, onFrame?(event: FrameSeen): void }} options passes all on unless `rewrite` is given; `onFrame` is told of every frame
 * @returns {{ WebSocket: typeof WebSocket, inject(text: string): void, cut(): void }} `inject` sends the server a text as if the wallet had; `cut` breaks the connection
 */
export function interceptor(Real, { rewrite = ({ text }) => text, onFrame = () => {} } = {}) {
  /** @type {InterceptedSocket | undefined} */
  let last;

  /**
   * @param {Direction} direction
   * @param {string} text
   * @param {(passed: string) => void} onward
   */
  function pass(direction, text, onward) {
    const passed = rewrite({ direction, text, frame: frameOf(text) });
    if (passed === null) return onFrame({ direction, text, fate: 'dropped' });
    onFrame(passed === text ? { direction, text, fate: 'passed' } : { direction, text: passed, fate: 'altered', was: text });
    return onward(passed);
  }

  class InterceptedSocket extends Real {
    /** @type {WebSocket['onmessage']} */
    #listener = null;

    /** @param {ConstructorParameters<typeof WebSocket>} details */
    constructor(...details) {
      super(...details);
      last = this;
      this.addEventListener('message', ({ data }) =>
        pass('in', data, (passed) => this.#listener?.call(this, new MessageEvent('message', { data: passed }))),
      );
    }

    get onmessage() {
      return this.#listener;
    }

    set onmessage(listener) {
      this.#listener = listener;
    }

    /** @param {string} text */
    send(text) {
      pass('out', text, (passed) => super.send(passed));
    }

    /** @param {string} text */
    inject(text) {
      onFrame({ direction: 'out', text, fate: 'injected' });
      super.send(text);
    }
  }

  return {
    WebSocket: InterceptedSocket,
    inject: (text) => last?.inject(text),
    cut: () => last?.close(4000, 'cut'),
  };
}

/**
 * The frame of a text, or an object without a type.
 *
 * @param {string} text
 * @returns {Frame}
 */
export function frameOf(text) {
  try {
    const frame = JSON.parse(text);
    return typeof frame === 'object' && frame !== null ? frame : {};
  } catch {
    return {};
  }
}

/**
 * Whether a request is put to the wallet once more.
 *
 * @param {Frame | undefined} frame
 */
export const isRepeated = (frame) => (frame?.attempt ?? 1) > 1;
