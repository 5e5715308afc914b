/**
 * What an attack came to, from what was observed and nothing else.
 *
 * @param {Finding[]} findings
 * @returns {{ state: 'held' | 'broken' | 'void', title: string }} void: the attack did not take place, so that it says nothing
 */
export function verdict(findings) {
  const broken = findings.filter(({ promise, ok }) => promise && !ok);
  if (broken.length > 0) return { state: 'broken', title: 'The promise was broken. This must not happen: please report it.' };
  const absent = findings.filter(({ ok }) => !ok);
  if (absent.length > 0 || !findings.some(({ promise }) => promise))
    return { state: 'void', title: 'The attack did not take place, so this says nothing.' };
  return { state: 'held', title: 'The promise held.' };
}

/**
 * The attack took place.
 *
 * @param {boolean} ok
 * @param {string} text
 * @returns {Finding}
 */
export const tookPlace = (ok, text) => ({ promise: false, ok, text });

/**
 * No call got a signature.
 *
 * @param {Partial<JudgedAnswer>[]} answers
 */
export function nothingSigned(answers) {
  const signed = answers.filter(({ signature }) => signature);
  return {
    promise: true,
    ok: signed.length === 0,
    text: signed.length === 0 ? 'No signature was accepted.' : `${signed.length} of ${answers.length} calls got a signature.`,
  };
}

/**
 * Each call got a signature that holds, over what it asked for.
 *
 * @param {Partial<JudgedAnswer>[]} answers
 */
export function allSigned(answers) {
  const good = answers.filter(({ valid }) => valid);
  return {
    promise: true,
    ok: good.length === answers.length,
    text: `${good.length} of ${answers.length} calls got a signature that verifies in this page, over what was asked.`,
  };
}

/**
 * Whatever signature a call got holds, over what it asked for.
 *
 * @param {Partial<JudgedAnswer>[]} answers
 */
export function noneWrong(answers) {
  const wrong = answers.filter(({ signature, valid }) => signature && !valid);
  return {
    promise: true,
    ok: wrong.length === 0,
    text: wrong.length === 0 ? 'No wrong signature reached a backend.' : `${wrong.length} wrong signatures reached a backend.`,
  };
}

/**
 * Each call came to an end, with a signature or a reason.
 *
 * @param {Partial<JudgedAnswer>[]} answers
 */
export function allEnded(answers) {
  const ended = answers.filter(({ signature, code }) => signature || code);
  return {
    promise: true,
    ok: ended.length === answers.length,
    text: `${ended.length} of ${answers.length} calls ended with a signature or a stated reason.`,
  };
}

/**
 * Nobody was asked twice about one request.
 *
 * @param {Map<string, number>} prompts how often the human was asked, by request
 */
export function askedOnce(prompts) {
  const times = [...prompts.values()];
  const most = Math.max(0, ...times);
  const total = times.reduce((sum, count) => sum + count, 0);
  return {
    promise: true,
    ok: most <= 1,
    text:
      most <= 1
        ? `The human was asked ${total === 1 ? 'once' : `${total} times`}, for ${times.length === 1 ? 'one request' : `${times.length} requests`}.`
        : `The human was asked ${most} times about one request.`,
  };
}
