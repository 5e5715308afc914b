/**
 * The program for Node.js that sends exactly this request. A token is named, not shown: programs end up in repositories.
 *
 * @param {string} url
 * @param {object} body
 * @param {{ withToken: boolean, prefer: string | undefined }} options
 */
export function nodeCall(url, body, { withToken, prefer }) {
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: 'POST',
  headers: {
    'content-type': 'application/json',${prefer ? `\n    prefer: ${JSON.stringify(prefer)},` : ''}${withToken ? '\n    authorization: `Bearer ${process.env.COUNTERSIGN_TOKEN}`,' : ''}
  },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),
});
console.log(await response.json());
`;
}
