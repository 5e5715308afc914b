// The repository's documents as pages, so that the demo page has somewhere to point to.
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { Marked } from 'marked';

/** Where each lies in the repository, and what it is called here. */
const DOCUMENTS = new Map([
  ['protocol/README.md', { name: 'protocol', title: 'Protocol' }],
  ['docs/http-api.md', { name: 'backend', title: 'Backend guide' }],
  ['docs/embedding.md', { name: 'embedding', title: 'Embedding' }],
  ['docs/operating/README.md', { name: 'operating', title: 'Operating' }],
  ['docs/operating/production.md', { name: 'production', title: 'From nothing to production' }],
  ['docs/operating/installing.md', { name: 'installing', title: 'Install and run' }],
  ['docs/operating/settings.md', { name: 'settings', title: 'Settings' }],
  ['docs/operating/tokens.md', { name: 'tokens', title: 'Tokens' }],
  ['docs/operating/network.md', { name: 'network', title: 'Audiences, TLS, proxies, pages' }],
  ['docs/operating/storage.md', { name: 'storage', title: 'Storage' }],
  ['docs/operating/backup.md', { name: 'backup', title: 'Back up, restore, upgrade' }],
  ['docs/operating/webhooks.md', { name: 'webhooks', title: 'Webhooks' }],
  ['docs/operating/running.md', { name: 'running', title: 'Start and stop' }],
  ['docs/operating/audit.md', { name: 'audit', title: 'The audit log' }],
  ['docs/operating/admin.md', { name: 'admin', title: 'Administration' }],
  ['docs/operating/observing.md', { name: 'observing', title: 'Logs, metrics, health' }],
  ['docs/cluster.md', { name: 'cluster', title: 'Several servers' }],
  ['sdk-wasm/README.md', { name: 'npm', title: 'npm package' }],
  ['clients/typescript/README.md', { name: 'client-typescript', title: 'Client for TypeScript' }],
  ['clients/python/README.md', { name: 'client-python', title: 'Client for Python' }],
  ['examples/README.md', { name: 'examples', title: 'Examples' }],
]);

/** As GitHub names headings, which is what the documents' own links go by. */
const slug = (/** @type {string} */ text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

/** @param {string} path of the document that links, in the repository */
function renderer(path) {
  /** @type {Map<string, number>} */
  const slugs = new Map();
  return new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        const name = slug(text.replaceAll('`', ''));
        const times = slugs.get(name) ?? 0;
        slugs.set(name, times + 1);
        return `<h${depth} id="${times === 0 ? name : `${name}-${times}`}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const words = this.parser.parseInline(tokens);
        const [file, anchor] = href.split('#');
        if (/^https?:/.test(href)) return `<a href="${href}" rel="noreferrer">${words}</a>`;
        const target = file === '' ? path : posix.join(posix.dirname(path), file);
        const found = DOCUMENTS.get(target);
        // What else is in the repository is not served.
        return found ? `<a href="${found.name}.html${anchor ? `#${anchor}` : ''}">${words}</a>` : words;
      },
    },
  });
}

/** @param {string} assets where the style lies, from a document's address */
export function documents(assets) {
  return [...DOCUMENTS].map(([path, { name, title }]) => {
    const body = renderer(path).parse(readFileSync(`../${path}`, 'utf8'));
    return {
      path: `docs/${name}.html`,
      html: `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Countersign</title>
    <link rel="icon" type="image/svg+xml" href="${assets}/logo.svg">
    <link rel="stylesheet" href="${assets}/page.css">
    <script src="${assets}/theme.js"></script>
  </head>
  <body>
    <main class="document">
      <p><a href="../">Back to the demo page</a></p>
${body}    </main>
  </body>
</html>
`,
    };
  });
}
