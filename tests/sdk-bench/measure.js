// Runs in the page: checks what a library does, and counts how often it does it in a given time.

const MESSAGE = Uint8Array.from({ length: 256 }, (_, at) => at * 7);
const SEED = Uint8Array.from({ length: 32 }, (_, at) => at + 1);

const opened = new Map();

/** Loads a library and has it sign; answers the signature, which is the same for every one (RFC 8032). */
export async function check(id) {
  const { open } = await import(`./libraries/${id}.js`);
  const library = await open(SEED);
  const signature = await library.sign(MESSAGE);
  const spoilt = Uint8Array.from(signature, (byte, at) => byte ^ Number(at === 5));
  if ((await library.verification(MESSAGE, signature)()) !== true) throw new Error(`${id} refuses its own signature`);
  // tweetnacl and noble answer, others may throw.
  if (await Promise.resolve(spoilt).then((bytes) => library.verification(MESSAGE, bytes)()).catch(() => false)) throw new Error(`${id} takes a spoilt signature`);
  opened.set(id, { sign: () => library.sign(MESSAGE), verify: library.verification(MESSAGE, signature) });
  return [...signature];
}

/** How often a library signs or verifies in a second, one call after the other, over at least `ms` milliseconds. */
export async function rate(id, what, ms) {
  const call = opened.get(id)[what];
  const start = performance.now();
  let calls = 0;
  let end = start;
  do {
    const result = call();
    if (result instanceof Promise) await result;
    calls += 1;
    end = performance.now();
  } while (end - start < ms);
  return (calls * 1000) / (end - start);
}
