import { serve } from './serve.js';

self.said = [];
self.start = (url) => {
  serve(url, (word) => self.said.push(word)).catch((error) => self.said.push({ error: String(error) }));
};
