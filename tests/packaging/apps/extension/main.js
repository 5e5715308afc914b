import { serve } from './serve.js';

// Promises of two words: who is there, and how the request ended.
const deferred = [0, 1].map(() => {
  const word = {};
  word.promise = new Promise((resolve) => (word.resolve = resolve));
  return word;
});
let count = 0;

self.words = deferred.map(({ promise }) => promise);
self.start = (url) => {
  const say = (word) => deferred[count++].resolve(word);
  serve(url, say).catch((error) => say({ error: String(error) }));
};
