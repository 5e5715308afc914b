window.said = [];
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => window.said.push(data);
worker.onerror = ({ message }) => window.said.push({ error: message });
worker.postMessage(new URLSearchParams(location.search).get('server') ?? new URL('/ws', location.href).href);
