import { sentence } from './format.js';

/**
 * How a request stands, as one honest sentence, an icon and a tone; null while it waits for a decision.
 *
 * @param {{ state: import('countersign').RequestState }} request
 * @param {import('countersign').CountersignError | undefined} failure the error that ended it, where there was one
 * @returns {RequestOutcome | null}
 */
export function outcomeOf(request, failure) {
  switch (request.state) {
    case 'open':
      return null;
    case 'answered':
      return { sentence: 'Answered. Waiting for the server to confirm.', icon: 'clock', tone: 'waiting' };
    case 'accepted':
      return { sentence: 'Signed and delivered.', icon: 'check', tone: 'good' };
    case 'declined':
      return { sentence: 'Declined. Nothing was signed.', icon: 'cross', tone: 'calm' };
    case 'cancelled':
      return { sentence: 'Withdrawn by the requester.', icon: 'back', tone: 'calm' };
    case 'expired':
      return { sentence: 'Expired. Nobody answered in time.', icon: 'clock', tone: 'calm' };
    case 'answered_elsewhere':
      return { sentence: 'Answered on another device.', icon: 'check', tone: 'calm' };
    case 'late':
      return { sentence: 'Not used: the requester had stopped waiting.', icon: 'clock', tone: 'calm' };
    case 'failed':
      if (failure?.code === 'unconfirmed') return UNCONFIRMED;
      return { sentence: sentence(`Not delivered: ${failure?.message ?? 'the server refused the answer'}`), icon: 'alert', tone: 'bad' };
    default:
      return { sentence: `Ended: ${request.state}.`, icon: 'alert', tone: 'calm' };
  }
}

/** @type {RequestOutcome} */
const UNCONFIRMED = {
  sentence: 'Sent, but the server no longer knows the request: it cannot be told whether the answer was used.',
  icon: 'alert',
  tone: 'calm',
};

/**
 * How requests that were decided together stand, in one sentence.
 *
 * @param {readonly import('countersign').SignRequest[]} requests
 * @param {RequestOutcome[]} outcomes
 * @returns {RequestOutcome}
 */
export function summaryOf(requests, outcomes) {
  const [first] = outcomes;
  if (!requests.every(hasEnded)) return outcomes.find((outcome) => outcome.tone === 'waiting') ?? first;
  if (outcomes.every((outcome) => outcome.sentence === first.sentence))
    return { ...first, sentence: `All ${outcomes.length}: ${first.sentence}` };
  const signed = requests.filter((request) => request.state === 'accepted').length;
  return { sentence: `${signed} of ${requests.length} signed and delivered.`, icon: signed > 0 ? 'check' : 'cross', tone: 'calm' };
}

/**
 * Whether nothing more can happen to it.
 *
 * @param {{ state: import('countersign').RequestState }} request
 */
export const hasEnded = (request) => request.state !== 'open' && request.state !== 'answered';
