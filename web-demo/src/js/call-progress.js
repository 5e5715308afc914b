import { frameOf } from './wire/interceptor.js';

const DEFAULT_TIMEOUT_MS = 60_000;
/** @type {Record<string, string>} */
const ENDS = {
  rejected: 'rejected',
  timeout: 'expired',
  delivery_timeout: 'expired',
  signer_disconnected: 'expired',
  cancelled: 'cancelled',
};

/**
 * How far a call has come that is answered at its end only: what the wallet on this page sees of it meanwhile, in the form that
 * the API has for requests. The first frame with the call's message is taken for the call's request.
 *
 * @param {Omit<CallBody, 'public_key'>} body of the call
 * @param {number} now the time, in milliseconds since the Unix epoch
 */
export function callProgress(body, now) {
  const messages = body.messages ?? [body.message ?? ''];
  const expires_at_ms = now + (body.timeout_ms ?? DEFAULT_TIMEOUT_MS);
  /** @type {ApiRequest[]} */
  const requests = messages.map((message) => ({ message, state: 'queued', times: { queued_ms: now }, expires_at_ms }));

  /**
   * @param {ApiRequest} request
   * @param {'delivered' | 'received' | 'displayed'} phase
   * @param {number} at
   */
  function reach(request, phase, at) {
    if (request.times.ended_ms !== undefined) return false;
    request.state = phase;
    request.times[`${phase}_ms`] ??= at;
    return true;
  }

  return {
    requests,
    /**
     * Learns of a frame of the wallet; answers whether that changed anything.
     *
     * @param {{ text: string }} event
     * @param {number} at
     */
    frame({ text }, at) {
      const { type, request_id, message, state } = frameOf(text);
      const known = requests.find((request) => request.request_id === request_id);
      if (type === 'sign_request' && !known) {
        const mine = requests.find((request) => !request.request_id && request.message === message);
        if (mine) mine.request_id = request_id;
        return mine !== undefined && reach(mine, 'delivered', at);
      }
      const isPhase = state === 'received' || state === 'displayed';
      return type === 'request_status' && known !== undefined && isPhase && reach(known, state, at);
    },
    /**
     * Learns what the call was answered; returns the requests, or none where there never was any.
     *
     * @param {Unsigned | { kind: 'signed', body: Pick<SignedBody, 'request_id' | 'times'> }} outcome
     * @param {number} at
     */
    end(outcome, at) {
      const [first] = requests;
      if (outcome.kind === 'signed') {
        const answer = outcome.body;
        Object.assign(first, { request_id: answer.request_id, state: 'signed', times: { ...first.times, ...answer.times } });
        first.times.ended_ms ??= at;
        return requests;
      }
      const state = endOf(outcome);
      if (state === 'failed' && first.times.delivered_ms === undefined) return [];
      for (const request of requests) {
        request.state = state;
        request.times.ended_ms ??= at;
      }
      return requests;
    },
  };
}

/**
 * @typedef {{ kind: 'cancelled' | 'unreachable' } | { kind: 'problem', body: ApiProblem }} Unsigned
 *
 * @param {Unsigned} outcome
 */
function endOf(outcome) {
  switch (outcome.kind) {
    case 'cancelled':
      return 'cancelled';
    case 'unreachable':
      return 'lost';
    case 'problem':
      return ENDS[outcome.body.code] ?? 'failed';
  }
}
