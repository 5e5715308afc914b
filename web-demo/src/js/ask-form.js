import { fromHex, fromText, toBase64 } from './bytes.js';
import { byId } from './dom.js';

/**
 * The form's request as the API takes it, with the message's bytes beside it. Only what cannot be written as a request
 * is refused here, with the field it stands in; everything else is for the API to judge.
 *
 * @returns {{ body: object, message: Uint8Array } | { field: string, error: string }}
 */
export function readForm() {
  const { message, encoding, purpose, timeout, signer } = byId('ask').elements;
  const bytes = encoding.value === 'hex' ? fromHex(message.value) : fromText(message.value);
  if (bytes === null) return { field: 'message', error: 'Hex takes pairs of the digits 0 to 9 and a to f.' };
  const milliseconds = Math.round(Number(timeout.value.replace(',', '.')) * 1000);
  if (!Number.isFinite(milliseconds)) return { field: 'timeout', error: 'A number, please.' };
  return {
    message: bytes,
    body: {
      public_key: signer.value.trim(),
      message: toBase64(bytes),
      ...(purpose.value.trim() && { purpose: purpose.value.trim() }),
      ...(timeout.value.trim() && { timeout_ms: milliseconds }),
    },
  };
}

/** Marks the field that `readForm` refused, and no other. */
export function markFields({ field, error }) {
  for (const name of ['message', 'timeout']) {
    const wrong = name === field;
    byId(name).setAttribute('aria-invalid', String(wrong));
    byId(`${name}-error`).textContent = wrong ? error : '';
  }
}
