import { frameOf } from './wire/interceptor.js';

/** How many are remembered that nobody has asked for yet: a wallet never has so many requests at once. */
const REMEMBERED = 64;

/** Which requests are in the place of which others, as the server's frames say. */
export function replacements() {
  /** @type {Map<string, string>} */
  const places = new Map();

  return {
    /**
     * Learns of a frame of the wallet.
     *
     * @param {FrameSeen} event
     */
    hear({ direction, text }) {
      if (direction !== 'in') return;
      const { type, request_id, replaces } = frameOf(text);
      if (type !== 'sign_request' || typeof request_id !== 'string' || typeof replaces !== 'string') return;
      places.set(request_id, replaces);
      for (const oldest of places.keys()) {
        if (places.size <= REMEMBERED) break;
        places.delete(oldest);
      }
    },
    /**
     * In whose place a request is; told once.
     *
     * @param {string} id
     */
    take(id) {
      const replaced = places.get(id);
      places.delete(id);
      return replaced;
    },
  };
}
