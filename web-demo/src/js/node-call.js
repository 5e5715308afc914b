const AUTHORIZATION = ['`', 'Bearer ', '$', '{process.env.COUNTERSIGN_TOKEN}', '`'].join('');

/**
 * The program for Node.js that sends exactly this request. A token is named, not shown: programs end up in repositories.
 *
 * @param {string} url
 * @param {object} body
 * @param {{ withToken: boolean, prefer: string | undefined }} options
 */
export function nodeCall(url, body, { withToken, prefer }) {
  const headers = [
    `'content-type': 'application/json'`,
    ...(prefer ? [`prefer: '${prefer}'`] : []),
    ...(withToken ? [`authorization: ${AUTHORIZATION}`] : []),
  ];
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: 'POST',
  headers: { ${headers.join(', ')} },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),
});
console.log(await response.json());
`;
}
