/**
 * A man in the middle: a `WebSocket` constructor to give to a wallet, whose frames all pass through somebody's hands.
 *
 * @param Real      the WebSocket to stand in front of
 * @param rewrite   gets { direction, frame, text } and returns the text to pass on, or null to lose it; passes all on unless given
 * @param onFrame   told of every frame: { direction, text, fate, was }. `fate` is passed, altered (`was` is what it was), dropped or
 *                  injected; `text` is what the receiver got, or would have got
 * @returns {{ WebSocket, inject(text), cut() }} `inject` sends the server a text as if the wallet had; `cut` breaks the connection
 */
export function tap(Real, { rewrite = ({ text }) => text, onFrame = () => {} } = {}) {
  let last;

  function pass(direction, text, onward) {
    const passed = rewrite({ direction, text, frame: frameOf(text) });
    if (passed === null) return onFrame({ direction, text, fate: 'dropped' });
    onFrame(passed === text ? { direction, text, fate: 'passed' } : { direction, text: passed, fate: 'altered', was: text });
    return onward(passed);
  }

  class Tapped extends Real {
    #listener = null;

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

    send(text) {
      pass('out', text, (passed) => super.send(passed));
    }

    inject(text) {
      onFrame({ direction: 'out', text, fate: 'injected' });
      super.send(text);
    }
  }

  return {
    WebSocket: Tapped,
    inject: (text) => last.inject(text),
    cut: () => last.close(4000, 'cut'),
  };
}

/** The frame of a text, or an object without a type. */
export function frameOf(text) {
  try {
    const frame = JSON.parse(text);
    return typeof frame === 'object' && frame !== null ? frame : {};
  } catch {
    return {};
  }
}
