import type { Secret } from '../keys/key-formats.js';
import { keyOfBytes } from './import-bytes.js';
import { invalid } from './import-error.js';
import { readOpenSsh } from './import-openssh.js';
import { fromBase64 } from './shared.js';

/** What else stands in PEM, and what can be done. */
const OTHERS: readonly [RegExp, string][] = [
  [/^ENCRYPTED PRIVATE KEY$/, 'the PKCS#8 is encrypted: decrypt it first, as `openssl pkey -in FILE` does'],
  [/^(RSA|EC|DSA) PRIVATE KEY$/, 'it is a key of another algorithm, and not Ed25519'],
  [/PUBLIC KEY$/, 'it is a public key, and the private one is needed'],
  [/^CERTIFICATE/, 'it is a certificate, in which there is no private key'],
  [/^PGP /, 'it is a key of OpenPGP, which is not read here'],
];

/** Reads the one private key in a text of PEM (RFC 7468), whatever a tool wrote around it. */
export function readPem(text: string): Secret {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g)];
  const secrets = blocks.filter(([, label]) => label?.endsWith('PRIVATE KEY'));
  if (secrets.length > 1) throw invalid('there are several private keys in it');
  const [, label = '', body = ''] = secrets[0] ?? blocks[0] ?? [];
  const reason = OTHERS.find(([pattern]) => pattern.test(label))?.[1];
  if (reason !== undefined) throw invalid(reason);
  if (label !== 'PRIVATE KEY' && label !== 'OPENSSH PRIVATE KEY') throw invalid('there is no whole PEM with a "PRIVATE KEY" in it');
  const der = fromBase64(body.replace(/\s/g, ''));
  if (der === undefined) throw invalid('what stands between the lines of the PEM is no base64');
  try {
    return label === 'PRIVATE KEY' ? keyOfBytes(der) : readOpenSsh(der);
  } finally {
    der.fill(0);
  }
}

/** The bytes of base64 or base64url, with or without padding. */
export function decode(text: string): Uint8Array | undefined {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  return fromBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '='));
}
