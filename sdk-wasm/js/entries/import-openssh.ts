import type { Secret } from '../keys/key-formats.js';
import { keyOfPair } from './import-bytes.js';
import { invalid } from './import-error.js';
import { toBase64 } from './shared.js';

const MAGIC = 'openssh-key-v1\0';
const BROKEN = 'the key of OpenSSH is broken';

/** Reads what ssh-keygen writes: PROTOCOL.key of OpenSSH, with one Ed25519 key that is not encrypted. */
export function readOpenSsh(bytes: Uint8Array): Secret {
  const file = new Reader(bytes);
  if (file.text(MAGIC.length) !== MAGIC) throw invalid(BROKEN);
  const cipher = file.text(file.number());
  if (cipher !== 'none') throw invalid('it has a passphrase: copy the file, and remove it with `ssh-keygen -p -N "" -f COPY`');
  // The name and the options of how a passphrase is stretched.
  file.string();
  file.string();
  if (file.number() !== 1) throw invalid('there are several keys in it');
  file.string();
  const secret = new Reader(file.string());
  const [check, again] = [secret.number(), secret.number()];
  if (check !== again) throw invalid(BROKEN);
  const type = secret.text(secret.number());
  if (type !== 'ssh-ed25519')
    throw invalid(`it is a key of ${/^[\w@.-]{1,40}$/.test(type) ? type : 'another algorithm'}, and not ssh-ed25519`);
  const publicKey = secret.string();
  const pair = secret.string();
  if (pair.length !== 64) throw invalid(BROKEN);
  const read = keyOfPair(pair);
  // The public key stands there twice.
  if (read.publicKey !== toBase64(publicKey)) throw invalid('the private key and the public key beside it do not belong together');
  return read;
}

/** Numbers of 32 bits, and what has its length before it (RFC 4251 §5). */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw invalid(BROKEN);
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  number(): number {
    return this.take(4).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  string(): Uint8Array {
    return this.take(this.number());
  }

  text(length: number): string {
    return String.fromCharCode(...this.take(length));
  }
}
