// node batch.mjs KEY FILE.csv: has the payouts of a file signed, many in one prompt, and keeps a receipt of each in FILE.csv.receipts.json.

import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { Countersign, VerificationError } from 'countersign-client';

const MOST_IN_A_PROMPT = 16;
const DAY_MS = 86_400_000;

const { COUNTERSIGN_URL = 'http://127.0.0.1:8080', COUNTERSIGN_TOKEN } = process.env;
const [, , publicKey = '', file = ''] = process.argv;
if (!publicKey || !file) throw new TypeError('node batch.mjs KEY FILE.csv');
const countersign = new Countersign(COUNTERSIGN_URL, { token: COUNTERSIGN_TOKEN });
const text = await readFile(file, 'utf8');
const run = createHash('sha256').update(`${publicKey}\n${text}`).digest('hex');
const payouts = read(text);
const kept = await keep(`${file}.receipts.json`);

for (let at = 0; at < payouts.length; at += MOST_IN_A_PROMPT) {
  const part = payouts.slice(at, at + MOST_IN_A_PROMPT);
  // A part is asked for whole, or not at all: the same part is the same request, however often this is run.
  if (!part.every(({ id }) => Object.hasOwn(kept.receipts, id))) await ask(part, `payouts-${run}-${at}`);
}
const states = payouts.map(({ id }) => kept.receipts[id].state);
console.log(`${states.filter((state) => state === 'signed').length} of ${payouts.length} signed`);
process.exitCode = states.every((state) => state === 'signed') ? 0 : 1;

/** Each line is an id, an amount in cents, and a name. What is signed says all that matters, this run included. */
function read(csv) {
  const ids = new Set();
  return csv
    .trimEnd()
    .split('\n')
    .map((line, index) => {
      const [, id, cents, to] = line.match(/^([A-Za-z0-9-]{1,64}),([1-9]\d{0,9}),([^,\p{C}]{1,70})$/u) ?? [];
      if (id === undefined || ids.has(id)) throw new TypeError(`line ${index + 1} is not an id of its own, cents and a name: ${line}`);
      ids.add(id);
      const amount = `${cents.slice(0, -2) || 0}.${cents.slice(-2).padStart(2, '0')} EUR`;
      return { id, message: new TextEncoder().encode(`Pay ${amount} to ${to}\nPayout ${id} of run ${run.slice(0, 16)} at example.com`) };
    });
}

/** What an earlier run of the same file has kept. */
async function keep(path) {
  const found = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const kept = found === undefined ? { run, receipts: {}, keys: undefined } : JSON.parse(found);
  if (kept.run !== run) throw new TypeError(`${path} is of another key, or of other payouts: give new ones a file of their own`);
  const write = async () => {
    // Whole or not at all, also where this machine fails meanwhile.
    const whole = await open(`${path}.new`, 'w');
    await whole.writeFile(JSON.stringify(kept, undefined, 1));
    await whole.sync();
    await whole.close();
    await rename(`${path}.new`, path);
  };
  return Object.assign(kept, { write });
}

async function ask(part, idempotencyKey) {
  const [first, last] = [part.at(0).id, part.at(-1).id];
  const results = await countersign.sendToSignBatch(
    publicKey,
    part.map(({ message }) => message),
    { purpose: `Payouts ${first} to ${last}`, reference: `run-${run.slice(0, 16)}`, queue: true, timeoutMs: DAY_MS, idempotencyKey },
  );
  for (const [index, { id, message }] of part.entries()) {
    const result = results[index];
    // What was declined has a receipt as well; a lie has none that is worth keeping.
    const { request_id: requestId } = result;
    if (result instanceof VerificationError || requestId === undefined) throw result;
    const receipt = await countersign.receipt(requestId);
    const { state, approved_by, code } = await countersign.verifyReceipt(receipt, { message, publicKey, requestId });
    kept.receipts[id] = { state, receipt };
    console.log(`${id}: ${state} (${approved_by ?? code})`);
  }
  // With these keys they are verified later without a network.
  kept.keys = await countersign.jwks();
  await kept.write();
}
