/**
 * One argument for a POSIX shell, whatever it holds.
 *
 * @param {string} text
 */
export const shellQuote = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/**
 * The command that sends exactly this request. A token is named, not shown: command lines end up in histories.
 *
 * @param {string} url
 * @param {object} body
 * @param {{ withToken: boolean, prefer: string | undefined }} options
 */
export function curlCommand(url, body, { withToken, prefer }) {
  return [
    `curl -sS ${shellQuote(url)}`,
    `-H 'content-type: application/json'`,
    ...(prefer ? [`-H ${shellQuote(`prefer: ${prefer}`)}`] : []),
    ...(withToken ? ['-H "authorization: Bearer $COUNTERSIGN_TOKEN"'] : []),
    `-d ${shellQuote(JSON.stringify(body))}`,
  ].join(' ');
}
