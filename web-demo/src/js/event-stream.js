/**
 * The events of a `text/event-stream`, as they come: { event, data }. EventSource would do, but sends no token.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body of a response
 */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const { event, data } = fields(block);
        if (data !== undefined) yield { event, data };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * A line that begins with a colon is there to keep the connection alive.
 *
 * @param {string} block
 */
function fields(block) {
  /** @type {{ event?: string, data?: string }} */
  const event = {};
  for (const line of block.split('\n')) {
    const [, name, value] = line.match(/^(event|data):\s?(.*)$/) ?? [];
    if (name === 'event' || name === 'data') event[name] = value;
  }
  return event;
}
