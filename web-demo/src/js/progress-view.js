import { byId, element, fromTemplate } from './dom.js';
import { fetchReceipt, receiptPath } from './durable.js';
import { elapsed, timeOfDay } from './format.js';

const PHASES = [['queued', 'Asked'], ['delivered', 'Sent'], ['received', 'Received'], ['displayed', 'Shown']];
const ENDS = { signed: 'Signed', rejected: 'Declined', expired: 'Expired', cancelled: 'Cancelled' };

/** How far requests have come, each phase with its time. */
export function progressView() {
  const list = byId('progress');
  const tracks = new Map();

  return {
    /** Shows these requests, and no others. */
    start(requests) {
      tracks.clear();
      for (const [index, request] of requests.entries()) {
        tracks.set(request.request_id, track(request, requests.length > 1 ? `Message ${index + 1}` : 'Request'));
      }
      list.replaceChildren(...[...tracks.values()].map(({ root }) => root));
      list.hidden = requests.length === 0;
    },
    update: (request) => showPhases(tracks.get(request.request_id)?.parts, request),
    /** Shows how a request ended, with the way to its receipt if it was written down. */
    end(request, { text, tone }, { durable, token }) {
      const { parts } = tracks.get(request.request_id);
      showPhases(parts, request);
      parts.end.hidden = false;
      parts.end.dataset.tone = tone;
      parts.verdict.textContent = text;
      parts.receipt.hidden = !durable;
      if (durable) offerReceipt(parts.receipt, request.request_id, token);
    },
  };
}

function track(request, name) {
  const made = fromTemplate('progress-track');
  made.root.dataset.requestId = request.request_id;
  made.parts.name.textContent = name;
  made.parts.id.textContent = request.request_id;
  made.parts.of.textContent = ` of ${name.toLowerCase()}, signed by the server`;
  showPhases(made.parts, request);
  return made;
}

function showPhases(parts, { state, times }) {
  if (!parts) return;
  const ended = times.ended_ms !== undefined;
  const steps = PHASES.map(([phase, label]) => step(label, times[`${phase}_ms`], times.queued_ms, ended));
  steps.push(step(ended ? ENDS[state] ?? state : 'Decided', times.ended_ms, times.queued_ms, ended));
  const reached = steps.filter((item) => item.dataset.reached === 'true');
  reached.at(-1)?.setAttribute('aria-current', 'step');
  parts.phases.dataset.state = state;
  parts.phases.replaceChildren(...steps);
}

function step(label, at, from, ended) {
  const item = element('li', 'phase');
  item.dataset.reached = String(at !== undefined);
  const time = element('time', 'hint', at === undefined ? (ended ? '–' : 'not yet') : at === from ? timeOfDay(new Date(at)) : elapsed(at - from));
  if (at !== undefined) time.dateTime = new Date(at).toISOString();
  item.append(element('span', 'phase-name', label), time);
  return item;
}

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
