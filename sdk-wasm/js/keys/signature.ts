import { fromBase64 } from '../common/bytes.js';
import { CountersignError, reasonOf } from '../common/errors.js';
import { loadEd25519, Verdict, verify } from './ed25519.js';
import { signedHere } from './key.js';
import { invalidKey } from './key-formats.js';
import { ask, type Signer } from './signer.js';
import { WebCryptoKey } from './web-crypto-key.js';

/**
 * Has a signer sign for a wallet, and answers with nothing that does not verify under the wallet's key: at once where the key is
 * one of this package in WebAssembly memory, whose signatures need no verifying, else later.
 *
 * @throws {CountersignError} `key_freed`; later `signer_failed`, `invalid_signature`, `invalid_key`
 */
export function signatureOf(signer: Signer, publicKey: string, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  return signedHere(signer, publicKey, bytes) ?? verified(signer, publicKey, bytes);
}

async function verified(signer: Signer, publicKey: string, bytes: Uint8Array): Promise<Uint8Array> {
  // A copy, to verify over what was asked, whatever the signer does to its own.
  const signature = await given(signer, bytes.slice());
  if (signature.length !== 64)
    throw new CountersignError('invalid_signature', `a signature is 64 bytes, the signer gave ${signature.length}`);
  const key = fromBase64(publicKey) ?? new Uint8Array();
  if (await (WebCryptoKey.holds(signer, key, bytes, signature) ?? holds(key, bytes, signature))) return signature;
  throw new CountersignError('invalid_signature', "the signer's signature does not verify under the wallet's key");
}

async function given(signer: Signer, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await ask(signer, bytes);
  } catch (cause) {
    throw new CountersignError('signer_failed', reasonOf(cause), { cause });
  }
}

/** Why no wallet can have a key: others disagree about its signatures, or anybody can make them. */
const UNFIT: Partial<Record<Verdict, string>> = {
  [Verdict.NotOnCurve]: 'is not a point of the curve',
  [Verdict.NotCanonical]: 'is not canonically encoded',
  [Verdict.SmallOrder]: 'is of small order',
  [Verdict.MixedOrder]: 'is not in the prime-order subgroup',
};

async function holds(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  await loadEd25519();
  const verdict = verify(publicKey, bytes, signature);
  const unfit = UNFIT[verdict];
  if (unfit !== undefined) throw invalidKey(`public_key ${unfit}`);
  return verdict === Verdict.Holds;
}
