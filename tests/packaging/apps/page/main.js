import { serve } from './serve.js';

window.said = [];
const url = new URLSearchParams(location.search).get('server') ?? '/ws';
serve(url, (word) => window.said.push(word)).catch((error) => window.said.push({ error: String(error) }));
