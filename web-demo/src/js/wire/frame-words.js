import { byteCount, timeLeft } from '../format.js';

/** @type {Record<string, string>} */
const ACKNOWLEDGED = {
  accepted: 'The server has taken the answer.',
  late: 'The answer came too late: the request was over.',
  duplicate: 'This device had answered before. The first answer stands.',
  bad_signature: 'Refused: the signature does not hold over the message that the server has.',
  message_mismatch: 'Refused: the wallet names another message than the server asked for.',
  unknown: 'Refused: no such request was put to this key.',
};
/** @type {Record<string, string>} */
const CALLED_OFF = {
  cancelled: 'The backend withdrew the request, so the wallet stops asking.',
  expired: 'The time is up, so the wallet stops asking.',
  answered_elsewhere: 'Another device answered first, so the wallet stops asking.',
};
/** @type {Record<string, string>} */
const STANDING = {
  received: 'The wallet has the request. From here on it is the human’s time.',
  displayed: 'The request is on the screen.',
};
/** @type {Record<string, string>} */
const FAREWELL = {
  shutdown: 'The server stops, and says when to come back.',
  superseded: 'The same device has connected again; this connection is no longer needed.',
  idle: 'Nothing was heard of the wallet for too long.',
};

/** @type {Record<string, (frame: Frame) => string>} */
const WORDS = {
  challenge: () => 'The server sends 32 random bytes, so that a proof from yesterday is worth nothing.',
  introduction: () => 'The wallet names its key and proves that it holds it, by signing the challenge.',
  welcome: () => 'Proven. Requests for this key come here from now on.',
  sign_request: ({ message = '', expires_in_ms = 0, attempt = 1 }) =>
    attempt > 1
      ? `The same request again, attempt ${attempt}. Who was asked is not asked again.`
      : `A backend wants a signature over ${byteCount(base64Length(message))}, within ${timeLeft(expires_in_ms)}.`,
  request_status: ({ state }) => STANDING[state ?? ''] ?? `The request is ${state}.`,
  sign_response: () => 'Yes: the signature, and the message it is over.',
  sign_reject: ({ scope }) => `No. ${scope === 'device' ? 'Other devices may still answer.' : 'That ends the request.'}`,
  request_cancel: ({ cause }) => CALLED_OFF[cause ?? ''] ?? 'The wallet stops asking.',
  response_ack: ({ outcome }) => ACKNOWLEDGED[outcome ?? ''] ?? `The server says: ${outcome}.`,
  ping: () => 'Still there?',
  pong: () => 'Still here.',
  error: ({ code }) => `The server refuses what it was sent: ${code}.`,
  goodbye: ({ reason }) => FAREWELL[reason ?? ''] ?? 'The server closes the connection.',
};

/**
 * What a frame means, in one line for somebody who has never seen one.
 *
 * @param {Frame} frame
 */
export function frameWords(frame) {
  const { type = '' } = frame;
  return Object.hasOwn(WORDS, type) ? WORDS[type](frame) : 'No frame of this protocol.';
}

/**
 * Whether a frame only says that the connection lives.
 *
 * @param {Frame} frame
 */
export const isHeartbeat = ({ type }) => type === 'ping' || type === 'pong';

/** @param {string} text */
function base64Length(text) {
  return Math.max(0, (text.length / 4) * 3 - (text.match(/=*$/)?.[0].length ?? 0));
}
