import { fromHex, fromText, toBase64 } from './bytes.js';
import { byId } from './dom.js';

/**
 * The form's request as the API takes it, with the messages' bytes beside it. Only what cannot be written as a request
 * is refused here, with the field it stands in; everything else is for the API to judge.
 *
 * @returns {Asked | FieldError}
 */
export function readForm() {
  const { message, second, several, durable, encoding, purpose, timeout, signer } = byId('ask').elements;
  const fields = several.checked ? [message, second] : [message];
  const contents = [];
  for (const { id, value } of fields) {
    const bytes = encoding.value === 'hex' ? fromHex(value) : fromText(value);
    if (bytes === null) return { field: id, error: 'Hex takes pairs of the digits 0 to 9 and a to f.' };
    contents.push(bytes);
  }
  const milliseconds = Math.round(Number(timeout.value.replace(',', '.')) * 1000);
  if (!Number.isFinite(milliseconds)) return { field: 'timeout', error: 'A number, please.' };
  const messages = contents.map(toBase64);
  return {
    contents,
    durable: durable.checked,
    body: {
      public_key: signer.value.trim(),
      ...(several.checked ? { messages } : { message: messages[0] }),
      ...(purpose.value.trim() && { purpose: purpose.value.trim() }),
      ...(timeout.value.trim() && { timeout_ms: milliseconds }),
      ...(durable.checked && { queue: true }),
    },
  };
}

/**
 * Marks the field that `readForm` refused, and no other.
 *
 * @param {FieldError | undefined} refused
 */
export function markFields(refused) {
  for (const name of ['message', 'second', 'timeout']) {
    const wrong = name === refused?.field;
    byId(name).setAttribute('aria-invalid', String(wrong));
    byId(`${name}-error`).textContent = wrong ? refused.error : '';
  }
}
