// An answer that is no success, as an error.

import { type CountersignError, failureOf, ProtocolError } from './errors.js';
import type { HttpAnswer } from './transport.js';
import { asProblem, parseJson } from './validation.js';

/** The media type of an answer, without its parameters. */
export function mediaType(headers: Headers): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/**
 * What a problem document says. Where there is none, as from a proxy, the status alone says what it can.
 *
 * @param now milliseconds since the Unix epoch
 */
export function errorOf(answer: HttpAnswer, now: number): CountersignError {
  const { status, headers, text } = answer;
  const retry_after = retryAfter(headers.get('retry-after'), now);
  if (mediaType(headers) !== 'application/problem+json') {
    if (status >= 500 || status === 429 || status === 401) {
      const detail = `the answer is ${status} without a problem document, so that a proxy may have given it`;
      return failureOf({ code: `http_${status}`, detail, status, retry_after });
    }
    const kind = mediaType(headers) || 'nothing that is named';
    return new ProtocolError(`the answer is ${status} with ${kind}: is this a Countersign server?`, { status });
  }
  try {
    const problem = asProblem(parseJson(text, `the problem of a ${status}`));
    const { code, detail, call_id, request_id, reject_code, reason, phase, replaced, errors } = problem;
    return failureOf({ code, detail, status, retry_after, call_id, request_id, reject_code, reason, phase, replaced, errors });
  } catch (cause) {
    const { detail } = cause as CountersignError;
    return new ProtocolError(detail, { status, cause });
  }
}

/** In seconds. */
function retryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1_000));
}
