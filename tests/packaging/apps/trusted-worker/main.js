const policy = trustedTypes.createPolicy('workers', { createScriptURL: (name) => new URL(`./${name}.js`, import.meta.url).href });

window.said = [];
const worker = new Worker(policy.createScriptURL('worker'), { type: 'module' });
worker.onmessage = ({ data }) => window.said.push(data);
worker.onerror = ({ message }) => window.said.push({ error: message });
worker.postMessage('/ws');
