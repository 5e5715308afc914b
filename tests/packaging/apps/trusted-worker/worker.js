import { serve } from './serve.js';

self.onmessage = ({ data }) => {
  serve(data, (word) => postMessage(word)).catch((error) => postMessage({ error: String(error) }));
};
