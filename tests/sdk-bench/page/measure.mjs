// Runs in the page: prepares the libraries, compares what they do, and counts how often they do it.

const libraries = new Map();
let cases = [];

/** Loads every library and gives it the key. */
export async function prepare(ids, material) {
  const bytes = Uint8Array.from.bind(Uint8Array);
  cases = material.cases.map(({ message, signature }) => ({ message: bytes(message), signature: bytes(signature) }));
  for (const id of ids) {
    const { prepare } = await import(`/${id}.js`);
    const { sign, verify, encode = (signature) => signature } = await prepare(bytes(material.seed), bytes(material.publicKey));
    libraries.set(id, { sign, verify, encode, signatures: cases.map(({ signature }) => encode(signature)) });
  }
}

/** Throws unless a library signs each message as is expected, verifies that, and refuses it with a bit flipped on either side. */
export async function check(id) {
  const { sign, verify, encode } = libraries.get(id);
  for (const [index, { message, signature }] of cases.entries()) {
    const made = await sign(message);
    if (made.length !== 64 || made.some((byte, at) => byte !== signature[at])) throw new Error(`${id} signs message ${index} otherwise`);
    if ((await verify(message, encode(made))) !== true) throw new Error(`${id} refuses the signature of message ${index}`);
    if ((await verify(flipped(message, index), encode(made))) !== false)
      throw new Error(`${id} takes a signature of another message than ${index}`);
    if ((await verify(message, encode(flipped(made, index)))) !== false)
      throw new Error(`${id} takes an altered signature of message ${index}`);
  }
}

/** How often a library signs and verifies per second. */
export async function measure(id, milliseconds) {
  const { sign, verify, signatures } = libraries.get(id);
  return {
    sign: await rate(milliseconds, (index) => sign(cases[index].message)),
    verify: await rate(milliseconds, (index) => verify(cases[index].message, signatures[index])),
  };
}

async function rate(milliseconds, run) {
  const begun = performance.now();
  let now = begun;
  let count = 0;
  for (; now < begun + milliseconds; now = performance.now()) {
    await run(count % cases.length);
    count++;
  }
  return (count * 1_000) / (now - begun);
}

function flipped(bytes, index) {
  const copy = bytes.slice();
  copy[index % copy.length] ^= 1 << (index % 8);
  return copy;
}
