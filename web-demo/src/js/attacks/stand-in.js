import { Key, Wallet } from '../sdk.js';
import { frameOf, tap } from '../wire/tap.js';

const CONNECT_MS = 10_000;
// Whoever watches does not want to wait.
const BACKOFF = { initialMs: 300, maxMs: 2_000 };

/**
 * A wallet of its own, with a fresh key in memory, behind a man in the middle. The visitor's wallet has no part in it.
 *
 * @param name        what it is called in what is written down
 * @param rewrite     of `tap`
 * @param onRequest   what its human does; approves unless given
 * @param key         the SDK's key; a fresh one unless given
 * @param tabs        of the SDK
 * @param connects    whether to wait until it is connected
 * @param say, nameOf, onFrame, onState, onPrompt   what is told: see `scene`
 */
export async function standIn(
  name,
  { rewrite, onRequest = (request) => request.approve(), key, tabs = 'each', connects = true, say, nameOf, onFrame, onState, onPrompt },
) {
  const own = key ?? (await Key.generate());
  const frames = [];
  const wire = tap(WebSocket, {
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
  wallet.on('request', async (request) => {
    say(name, `is asked to sign “${new TextDecoder().decode(request.message)}”, ${nameOf(request.id)}.`);
    onPrompt(request.id);
    request.displayed();
    // Where an answer is not taken, the server's own words say so.
    await onRequest(request).catch(() => {});
  });
  const connecting = wallet.connect({ signal: AbortSignal.timeout(CONNECT_MS) });
  if (connects) await connecting;

  return {
    publicKey: wallet.publicKey,
    key: own,
    /** Every frame so far: { direction, text, fate, was, frame }. */
    frames,
    connecting,
    state: () => wallet.state,
    inject: wire.inject,
    cut: wire.cut,
    /** The last frame of this type, in or out. */
    last: (type) => frames.findLast(({ frame }) => frame.type === type),
    all: (type) => frames.filter(({ frame }) => frame.type === type),
    close() {
      wallet.close();
      own.free?.();
    },
  };
}

/** What the man in the middle did, and what the server said. */
function tellOf({ direction, fate, was }, frame, say, nameOf) {
  const way = direction === 'in' ? 'on its way to the wallet' : 'on its way to the server';
  if (fate === 'altered') say('attacker', `changes ${changed(frame, frameOf(was))} in ${frame.type}, ${way}.`);
  if (fate === 'dropped') say('attacker', `lets ${frame.type} get lost, ${way}.`);
  if (fate === 'injected') say('attacker', `sends the server this ${frame.type} for ${nameOf(frame.request_id)}, in the wallet’s name.`);
  if (direction !== 'in' || fate === 'dropped') return;
  if (frame.type === 'response_ack')
    say('server', `answers ${frame.outcome} for ${nameOf(frame.request_id)}.`, frame.outcome === 'accepted' ? 'good' : '');
  if (frame.type === 'error') say('server', `refuses: ${frame.code}.`);
  if (frame.type === 'sign_request' && frame.attempt > 1)
    say('server', `hands ${nameOf(frame.request_id)} over again, attempt ${frame.attempt}.`);
}

function changed(now, before) {
  return Object.keys(now)
    .filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]))
    .join(' and ');
}
