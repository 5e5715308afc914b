import { byId, element, fromTemplate } from './dom.js';
import { fetchReceipt, receiptPath } from './durable.js';
import { elapsed, shortTime, timeLeft } from './format.js';

/** @type {['queued' | 'delivered' | 'received' | 'displayed', string][]} */
const PHASES = [
  ['queued', 'Asked'],
  ['delivered', 'Sent'],
  ['received', 'Received'],
  ['displayed', 'Shown'],
];
/** @type {Record<string, string>} */
const ENDS = { signed: 'Signed', rejected: 'Declined', expired: 'Expired', cancelled: 'Cancelled', failed: 'Refused', lost: 'Not known' };
const SECOND_MS = 1_000;
// What is not asked yet: the phases are there to be read.
/** @type {ApiRequest} */
const NOTHING = { state: 'none', times: {} };

/**
 * How far requests have come: each phase with its time, and the time that is left.
 *
 * @typedef {ReturnType<typeof progressView>} ProgressView
 */
export function progressView() {
  const list = byId('progress');
  /** @type {ReturnType<typeof track>[]} */
  let tracks = [];
  /** @type {ApiRequest[]} */
  let shown = [];
  let timer = 0;

  function tick() {
    clearTimeout(timer);
    const now = Date.now();
    const open = shown.filter((request, index) => showLeft(tracks[index].parts, request, now));
    if (open.length > 0)
      timer = setTimeout(tick, Math.min(...open.map(({ expires_at_ms = now }) => (expires_at_ms - now) % SECOND_MS || SECOND_MS)));
  }

  const view = {
    /**
     * Shows these requests, and no others.
     *
     * @param {ApiRequest[]} requests
     */
    start(requests) {
      const named = requests.length > 0 ? requests : [NOTHING];
      tracks = named.map((_, index) => track(named.length > 1 ? `Message ${index + 1}` : 'Request'));
      list.replaceChildren(...tracks.map(({ root }) => root));
      view.show(named);
    },
    /**
     * Shows how the same requests stand by now, in the same order; none where they have turned out to be none.
     *
     * @param {ApiRequest[]} requests
     * @returns {void}
     */
    show(requests) {
      if (requests.length === 0) return view.start([]);
      shown = requests;
      requests.forEach((request, index) => showPhases(tracks[index], request));
      return tick();
    },
    /**
     * Shows how a request ended, with the way to its receipt if it was written down.
     *
     * @param {number} index
     * @param {ApiRequest} request
     * @param {{ text: string, tone: Tone }} words
     * @param {{ durable: boolean, token?: string }} options
     */
    end(index, request, { text, tone }, { durable, token }) {
      const { parts } = tracks[index];
      shown[index] = request;
      showPhases(tracks[index], request);
      tick();
      parts.end.hidden = false;
      parts.end.dataset.tone = tone;
      parts.verdict.textContent = text;
      parts.receipt.hidden = !durable;
      if (durable) offerReceipt(parts.receipt, request.request_id ?? '', token);
    },
  };
  view.start([]);
  return view;
}

/** @param {string} name */
function track(name) {
  const made = fromTemplate('progress-track');
  made.parts.name.textContent = name;
  made.parts.of.textContent = ` of ${name.toLowerCase()}, signed by the server`;
  return made;
}

/**
 * Shows the time left; answers whether there is any.
 *
 * @param {Parts} parts
 * @param {ApiRequest} request
 * @param {number} now
 */
function showLeft(parts, { times, expires_at_ms }, now) {
  const left = expires_at_ms === undefined || times.ended_ms !== undefined ? 0 : Math.max(0, expires_at_ms - now);
  parts.deadline.hidden = left === 0;
  parts.left.textContent = left === 0 ? '' : timeLeft(left);
  return left > 0;
}

/**
 * @param {ReturnType<typeof track>} track
 * @param {ApiRequest} request
 */
function showPhases({ root, parts }, { request_id = '', state, times }) {
  const ended = times.ended_ms !== undefined;
  root.dataset.requestId = request_id;
  parts.id.textContent = request_id;
  const steps = PHASES.map(([phase, label]) => step(label, phase, times[`${phase}_ms`], times.queued_ms, ended));
  steps.push(step(ended ? (ENDS[state] ?? state) : 'Decided', ended ? state : 'signed, …', times.ended_ms, times.queued_ms, ended));
  const reached = steps.filter((item) => item.dataset.reached === 'true');
  reached.at(-1)?.setAttribute('aria-current', 'step');
  parts.phases.dataset.state = state;
  parts.phases.replaceChildren(...steps);
}

/**
 * One phase: when it was reached, counted from the beginning.
 *
 * @param {string} label
 * @param {string} phase
 * @param {number | undefined} at
 * @param {number | undefined} from
 * @param {boolean} ended
 */
function step(label, phase, at, from, ended) {
  const item = element('li', 'phase');
  item.dataset.reached = String(at !== undefined);
  const time = element(
    'time',
    'hint',
    at === undefined
      ? ended
        ? '–'
        : from === undefined
          ? ''
          : 'not yet'
      : phase === 'queued'
        ? shortTime(new Date(at))
        : elapsed(at - (from ?? at)),
  );
  if (at !== undefined) time.dateTime = new Date(at).toISOString();
  item.append(element('span', 'phase-name', label), element('code', 'phase-state', phase), time);
  return item;
}

/**
 * @param {HTMLAnchorElement} link
 * @param {string} id
 * @param {string | undefined} token
 */
function offerReceipt(link, id, token) {
  link.href = receiptPath(id);
  link.download = `receipt-${id}.jws`;
  if (!token) return;
  // A link sends no token.
  link.addEventListener('click', async (event) => {
    if (link.protocol === 'blob:') return;
    event.preventDefault();
    link.href = URL.createObjectURL(await fetchReceipt(id, { token }));
    link.click();
  });
}
