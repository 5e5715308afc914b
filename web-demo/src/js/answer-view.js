import { advice } from './advice.js';
import { fromBase64 } from './bytes.js';
import { byId, element, icon } from './dom.js';
import { duration, sentence } from './format.js';
import { checkSignature } from './verify.js';

/** Shows that an answer is awaited. */
export function showWaiting() {
  render({ state: 'waiting', icon: 'clock', title: 'Waiting for the wallet', text: 'The server answers when the person has decided, or when the time is up.' });
}

/** Shows how far the wallet on this page is: offers the way to a request that waits there. */
export function offerRequest(waits) {
  const verdict = byId('verdict');
  verdict.querySelector('.to-request')?.remove();
  if (!waits || byId('answer').dataset.state !== 'waiting') return;
  const link = element('a', 'to-request', 'Go to the request in the wallet');
  link.href = '#requests';
  verdict.querySelector('.verdict-text').append(link);
}

/**
 * Shows what came of a request.
 *
 * @param outcome   of `sendToSign`
 * @param asked     what was asked for: { body, message }
 */
export async function showAnswer(outcome, asked) {
  switch (outcome.kind) {
    case 'signed':
      return showSigned(outcome, asked);
    case 'problem':
      return showProblem(outcome);
    case 'cancelled':
      return render({ state: 'calm', icon: 'back', title: 'Cancelled', text: 'You stopped waiting, so the server withdrew the request from the wallet.', ms: outcome.ms });
    case 'unreachable':
      return render({ state: 'bad', icon: 'alert', title: 'No answer', text: 'The server could not be reached. See that it is running, then ask again.', ms: outcome.ms });
  }
}

async function showSigned({ status, body, ms }, asked) {
  // The key that was asked for, not the one the answer names; where it was written in another form, the answer's.
  const askedFor = fromBase64(asked.body.public_key);
  const publicKey = askedFor?.length === 32 ? asked.body.public_key : body.public_key;
  const { valid, by } = await checkSignature(publicKey, asked.message, body.signature);
  const verdict = valid
    ? { state: 'good', icon: 'check', title: 'Signature verified', text: `Checked in this page by ${by}.` }
    : { state: 'bad', icon: 'alert', title: 'Signature does not verify', text: `Checked in this page by ${by}. Do not use this answer.` };
  render({ ...verdict, status, code: 'signed', body, ms });
}

function showProblem({ status, body, ms, retryAfter }) {
  const reason = body.reason ? ` Reason given: “${body.reason}”.` : '';
  const detail = sentence(body.detail ?? body.title ?? 'The server gave no detail');
  render({
    state: status === 403 || status === 504 ? 'calm' : 'bad',
    icon: status === 504 ? 'clock' : status === 403 ? 'cross' : 'alert',
    title: `${detail}${reason}`,
    text: advice(body.code, retryAfter),
    status,
    code: body.code,
    body,
    ms,
  });
}

function render({ state, icon: name, title, text, status, code, body, ms }) {
  const words = element('div', 'verdict-text');
  words.append(element('p', 'verdict-title', title), element('p', 'hint', text));
  byId('answer').dataset.state = state;
  byId('verdict').replaceChildren(icon(name), words);
  byId('took').textContent = ms === undefined ? '' : duration(ms);
  byId('status').hidden = status === undefined;
  byId('status').textContent = status === undefined ? '' : `${status} ${code}`;
  byId('answer-json').hidden = body === undefined;
  byId('answer-json').textContent = body === undefined ? '' : JSON.stringify(body, null, 2);
}
