import { Key, Wallet } from '../sdk.js';
import { frameOf, interceptor, isRepeated } from '../wire/interceptor.js';

const CONNECT_MS = 10_000;
// Whoever watches does not want to wait.
const BACKOFF = { initialMs: 300, maxMs: 2_000 };

/**
 * A wallet of its own, with a fresh key in memory, behind a man in the middle. The visitor's wallet has no part in it.
 *
 * @typedef {Awaited<ReturnType<typeof ephemeralWallet>>} EphemeralWallet
 * @typedef {object} EphemeralWalletOptions
 * @property {Rewrite} [rewrite] of `interceptor`
 * @property {(request: import('countersign').SignRequest) => Promise<unknown>} [onRequest] what its human does; approves unless given
 * @property {'one' | 'each'} [tabs] of the SDK
 * @property {boolean} [connects] whether to wait until it is connected
 * @typedef {object} Told what is told: see `attackHarness`
 * @property {import('./harness.js').AttackHarness['say']} say
 * @property {(id: string) => string} nameOf
 * @property {(event: FrameSeen) => void} onFrame
 * @property {() => void} onState
 * @property {(id: string) => void} onPrompt
 *
 * @param {string} name what it is called in what is written down
 * @param {EphemeralWalletOptions & Told} options
 */
export async function ephemeralWallet(
  name,
  { rewrite, onRequest = (request) => request.approve(), tabs = 'each', connects = true, say, nameOf, onFrame, onState, onPrompt },
) {
  const own = await Key.generate();
  /** @type {(FrameSeen & { frame: Frame })[]} */
  const frames = [];
  const wire = interceptor(WebSocket, {
    rewrite,
    onFrame(event) {
      const frame = frameOf(event.text);
      if (event.direction === 'out' && frame.type === 'sign_response' && event.fate !== 'injected') {
        const again = frames.some(({ frame: earlier }) => earlier.type === frame.type && earlier.request_id === frame.request_id);
        say(name, again ? 'sends the answer that it has given again.' : 'approves, and sends its signature.');
      }
      frames.push({ ...event, frame });
      tellOf(event, frame, say, nameOf);
      onFrame(event);
    },
  });
  const wallet = new Wallet({ key: own, store: false, tabs, WebSocket: wire.WebSocket, backoff: BACKOFF });
  wallet.on('state', onState);
  wallet.on('request', (request) => {
    say(name, `is asked to sign “${new TextDecoder().decode(request.message)}”, ${nameOf(request.id)}.`);
    onPrompt(request.id);
    request.displayed();
    // Where an answer is not taken, the server's own words say so.
    return onRequest(request);
  });
  const connecting = wallet.connect({ signal: AbortSignal.timeout(CONNECT_MS) });
  if (connects) await connecting;

  return {
    publicKey: wallet.publicKey,
    seed: () => own.exportSeed(),
    /** Every frame so far. */
    frames,
    connecting,
    state: () => wallet.state,
    inject: wire.inject,
    cut: wire.cut,
    /**
     * The last frame of this type, in or out.
     *
     * @param {string} type
     */
    last: (type) => frames.findLast(({ frame }) => frame.type === type),
    /** @param {string} type */
    all: (type) => frames.filter(({ frame }) => frame.type === type),
    close() {
      wallet.close();
      own.free();
    },
  };
}

/**
 * What the man in the middle did, and what the server said.
 *
 * @param {FrameSeen} event
 * @param {Frame} frame
 * @param {Told['say']} say
 * @param {Told['nameOf']} nameOf
 */
function tellOf({ direction, fate, was = '' }, frame, say, nameOf) {
  const request = () => nameOf(frame.request_id ?? '');
  const way = direction === 'in' ? 'on its way to the wallet' : 'on its way to the server';
  if (fate === 'altered') say('attacker', `changes ${changed(frame, frameOf(was))} in ${frame.type}, ${way}.`);
  if (fate === 'dropped') say('attacker', `lets ${frame.type} get lost, ${way}.`);
  if (fate === 'injected') say('attacker', `sends the server this ${frame.type} for ${request()}, in the wallet’s name.`);
  if (direction !== 'in' || fate === 'dropped') return;
  if (frame.type === 'response_ack')
    say('server', `answers ${frame.outcome} for ${request()}.`, frame.outcome === 'accepted' ? 'good' : '');
  if (frame.type === 'error') say('server', `refuses: ${frame.code}.`);
  if (frame.type === 'sign_request' && isRepeated(frame)) say('server', `hands ${request()} over again, attempt ${frame.attempt}.`);
}

/**
 * The names of the fields that differ.
 *
 * @param {Frame} now
 * @param {Frame} before
 */
function changed(now, before) {
  const earlier = new Map(Object.entries(before));
  return Object.entries(now)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(earlier.get(name)))
    .map(([name]) => name)
    .join(' and ');
}
