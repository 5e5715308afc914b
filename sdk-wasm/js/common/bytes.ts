/**
 * The bytes of this package's own making: `Uint8Array<ArrayBuffer>`, which browsers' cryptography asks for, where TypeScript is late enough
 * to tell (5.7), and before that `Uint8Array`.
 */
export type Bytes = ReturnType<Uint8ArrayConstructor['of']>;

/** Whether a value is a `Uint8Array` of whatever realm: where a DOM is imitated, there are several. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]';
}

/** Few bytes as standard base64, padded. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Few bytes as base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The bytes of standard base64, padded and canonical; undefined for any other text. */
export function fromBase64(text: string): Bytes | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    // atob also takes spaces, no padding, and bits that belong to no byte.
    return toBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
