import { serve } from './serve.js';

export default {
  /** Answers with a line for each word. */
  fetch(request, _env, context) {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const say = (word) => writer.write(new TextEncoder().encode(`${JSON.stringify(word)}\n`));
    /** @type {Promise<void>} */
    const over = new Promise((resolve) => {
      const heard = (word) => say(word).then(() => 'state' in word && resolve());
      serve(new URL(request.url).searchParams.get('server'), heard).catch((error) => say({ error: String(error) }).then(resolve));
    });
    context.waitUntil(over.then(() => writer.close()));
    return new Response(readable);
  },
};
