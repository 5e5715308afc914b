import { fromBase64 } from './bytes.js';
import { byId, element, icon } from './dom.js';
import { errorAdvice } from './error-advice.js';
import { duration, sentence } from './format.js';
import { checkSignature } from './verify.js';

/** @type {[keyof Times, string][]} */
const FOLLOWING = [
  ['displayed_ms', 'Shown to the person'],
  ['received_ms', 'The wallet has it'],
  ['delivered_ms', 'Sent to the wallet'],
  ['queued_ms', 'Written down, waiting for the wallet'],
];
/** @type {ApiProblem} */
const NO_REASON = { code: 'no_reason', detail: 'The server gave no reason' };
let waitsInWallet = false;

/** Shows that an answer is awaited. */
export function showWaiting() {
  render({
    state: 'waiting',
    icon: 'clock',
    title: 'Waiting for the wallet',
    text: 'The server answers when the person has decided, or when the time is up.',
  });
  placeLink();
}

/** Shows that there was no answer to a request that is to be written down, and that it is asked for again. */
export function showRetrying() {
  render({
    state: 'waiting',
    icon: 'clock',
    title: 'No answer yet',
    text: 'The connection broke: whether the server has written the request down is not known. It is asked again under the same idempotency key, so that nobody is asked twice.',
  });
  placeLink();
}

/**
 * Shows how far requests have come that were written down.
 *
 * @param {ApiRequest[]} requests
 * @param {{ lost?: boolean }} options `lost`: the server is away
 */
export function showFollowing(requests, { lost = false } = {}) {
  const open = requests.filter(({ times }) => times.ended_ms === undefined);
  const furthest = FOLLOWING.find(([phase]) => open.some(({ times }) => times[phase] !== undefined));
  const title = lost ? 'The server is away' : (furthest?.[1] ?? 'Asking how it stands');
  const text = lost
    ? 'The request is on its disk. This page goes on when the server is back.'
    : 'Reload this page or close the wallet’s tab: the request stays.';
  const words = byId('answer').dataset.state === 'waiting' && byId('verdict').querySelector('.verdict-text');
  if (words) {
    // In place, so that whoever stands on the link to the wallet keeps standing there.
    setText(words, '.verdict-title', title);
    setText(words, '.hint', text);
  } else {
    render({ state: 'waiting', icon: 'clock', title, text });
    placeLink();
  }
}

/**
 * Shows how far the wallet on this page is: offers the way to a request that waits there.
 *
 * @param {boolean} waits
 */
export function offerRequest(waits) {
  waitsInWallet = waits;
  placeLink();
}

/**
 * Shows what came of a request.
 *
 * @param {Exclude<Outcome, { kind: 'ended' | 'accepted' }>} outcome
 * @param {Asked} asked what was asked for
 * @param {boolean} wasDelivered whether the wallet on this page was seen to get it
 * @returns {Promise<Signed[]>} the signatures that verify
 */
export async function showAnswer(outcome, asked, wasDelivered) {
  switch (outcome.kind) {
    case 'signed':
      return showSigned(outcome, asked);
    case 'problem':
      showProblem(outcome);
      return [];
    case 'cancelled':
      render({
        state: 'calm',
        icon: 'back',
        title: 'Cancelled',
        text: asked.durable
          ? 'You stopped waiting before the server had answered. If it has written the request down, that stays until its time is over.'
          : 'You stopped waiting. The server withdraws such a request when it sees the call gone.',
        ms: outcome.ms,
      });
      return [];
    case 'unreachable':
      render({
        state: 'bad',
        icon: 'alert',
        title: 'No answer: the outcome is not known',
        text: `${wasDelivered ? 'The connection broke while the wallet had the request' : 'The connection broke, or there was none'}, and the backend was told nothing. What is not written down ends with its server; with “Let it wait for the wallet” the end is found afterwards.`,
        ms: outcome.ms,
      });
      return [];
  }
}

/**
 * Shows requests that have ended, as the API shows each; the signatures checked in this page.
 *
 * @param {ApiRequest[]} requests
 * @param {import('./progress-view.js').ProgressView} progress
 * @param {{ durable: boolean, token?: string }} options
 * @returns {Promise<Signed[]>} the signatures that verify
 */
export async function showEnds(requests, progress, { durable, token }) {
  const checks = await Promise.all(requests.map(check));
  requests.forEach((request, index) => progress.end(index, request, words(request, checks[index]), { durable, token }));
  const [first] = requests;
  const ms = Math.max(...requests.map(({ times: { queued_ms = 0, ended_ms = queued_ms } }) => ended_ms - queued_ms));
  if (requests.length === 1 && !checks[0]) {
    const error = first.error ?? NO_REASON;
    showProblem({ body: error, chip: error.code, shown: first, ms });
    return [];
  }
  const signed = checks.filter((one) => one?.valid).length;
  const wrong = checks.some((one) => one && !one.valid);
  const by = checks.find((one) => one)?.by;
  const all = signed === requests.length;
  const title =
    requests.length === 1
      ? 'Signature verified'
      : all
        ? `All ${signed} signatures verified`
        : `${signed} of ${requests.length} signed and verified`;
  render({
    ...(wrong
      ? { state: 'bad', icon: 'alert', title: 'Signature does not verify', text: `Checked in this page by ${by}. Do not use this answer.` }
      : {
          state: all ? 'good' : 'calm',
          icon: signed > 0 ? 'check' : 'cross',
          title,
          text: by ? `Checked in this page by ${by}.` : 'Nothing was signed.',
        }),
    chip: all ? 'signed' : undefined,
    body: requests.length === 1 ? first : { requests },
    ms,
  });
  return requests
    .filter((_, index) => checks[index]?.valid)
    .map(({ public_key = '', message = '', signature = '' }) => ({ publicKey: public_key, message, signature }));
}

/**
 * Shows an answer of the API that is no signature.
 *
 * @param {{ status?: number, body: ApiProblem, ms?: number, retryAfter?: string | null, chip?: string, shown?: object }} problem
 */
export function showProblem({ status, body, ms, retryAfter, chip, shown = body }) {
  const reason = body.reason ? ` Reason given: “${body.reason}”.` : '';
  const detail = sentence(body.detail ?? body.title ?? 'The server gave no detail');
  const isLate = body.code === 'timeout' || body.code === 'delivery_timeout';
  const isDeclined = body.code === 'rejected';
  render({
    state: isLate || isDeclined || body.code === 'cancelled' ? 'calm' : 'bad',
    icon: isLate ? 'clock' : isDeclined ? 'cross' : body.code === 'cancelled' ? 'back' : 'alert',
    title: `${detail}${reason}`,
    text: errorAdvice(body.code, retryAfter),
    chip: chip ?? `${status} ${body.code}`,
    body: shown,
    ms,
  });
}

/**
 * @param {Extract<Outcome, { kind: 'signed' }>} outcome
 * @param {Asked} asked
 */
async function showSigned({ status, body, ms }, asked) {
  // The key that was asked for, not the one the answer names; where it was written in another form, the answer's.
  const askedFor = fromBase64(asked.body.public_key);
  const publicKey = askedFor?.length === 32 ? asked.body.public_key : body.public_key;
  const { valid, by } = await checkSignature(publicKey, asked.contents[0], body.signature);
  const who = body.approved_by?.startsWith('policy:') ? ' The wallet’s owner was not asked: a rule of theirs approved it.' : '';
  /** @type {{ state: Tone, icon: IconName, title: string, text: string }} */
  const verdict = valid
    ? { state: 'good', icon: 'check', title: 'Signature verified', text: `Checked in this page by ${by}.${who}` }
    : { state: 'bad', icon: 'alert', title: 'Signature does not verify', text: `Checked in this page by ${by}. Do not use this answer.` };
  render({ ...verdict, chip: `${status} signed`, body, ms });
  return valid ? [{ publicKey, message: body.message, signature: body.signature }] : [];
}

/**
 * Checks the signature of a request that has one.
 *
 * @param {ApiRequest} request
 */
async function check({ public_key = '', message = '', signature }) {
  return signature ? checkSignature(public_key, fromBase64(message) ?? new Uint8Array(), signature) : null;
}

/**
 * @param {ApiRequest} request
 * @param {{ valid: boolean } | null} checked
 * @returns {{ text: string, tone: Tone }}
 */
function words({ error = NO_REASON }, checked) {
  if (checked) return checked.valid ? { text: 'Signature verified', tone: 'good' } : { text: 'Signature does not verify', tone: 'bad' };
  return { text: `${sentence(error.detail ?? error.code)}${error.reason ? ` “${error.reason}”` : ''}`, tone: 'calm' };
}

/**
 * @param {Element} root
 * @param {string} selector
 * @param {string} text
 */
function setText(root, selector, text) {
  const found = root.querySelector(selector);
  if (found) found.textContent = text;
}

function placeLink() {
  const verdict = byId('verdict');
  const there = verdict.querySelector('.to-request');
  const wanted = waitsInWallet && byId('answer').dataset.state === 'waiting';
  if (!wanted) return there?.remove();
  if (there) return undefined;
  const link = element('a', 'to-request', 'Go to the request in the wallet');
  link.href = '#requests';
  return verdict.querySelector('.verdict-text')?.append(link);
}

/** @param {{ state: Tone, icon: IconName, title: string, text: string, chip?: string, body?: object, ms?: number }} shown */
function render({ state, icon: name, title, text, chip, body, ms }) {
  const said = element('div', 'verdict-text');
  said.append(element('p', 'verdict-title', title), element('p', 'hint', text));
  byId('answer').dataset.state = state;
  byId('verdict').replaceChildren(icon(name), said);
  byId('took').textContent = ms === undefined ? '' : duration(ms);
  byId('status').hidden = chip === undefined;
  byId('status').textContent = chip ?? '';
  byId('answer-body').hidden = body === undefined;
  byId('answer-json').textContent = body === undefined ? '' : JSON.stringify(body, null, 2);
}
