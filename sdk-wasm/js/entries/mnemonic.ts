import { mnemonicToEntropy, mnemonicToSeed } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { HDKey } from 'micro-key-producer/slip10.js';
import { CountersignError, Key } from './shared.js';

/** Which of a phrase's keys. */
export interface MnemonicOptions {
  /** The passphrase of BIP39, which makes other keys of the same phrase; none unless given. */
  passphrase?: string;
  /** The path of SLIP-0010, all of it hardened; `m/44'/501'/0'/0'`, the first account of most Solana wallets, unless given. */
  path?: string;
}

/**
 * The key of a phrase of 12 to 24 English words (BIP39), at a path (SLIP-0010 for Ed25519). Needs the packages `@scure/bip39` and
 * `micro-key-producer`. Capitals and the space between words make no difference. The phrase is a text, which cannot be
 * overwritten: let go of it.
 *
 * @example
 * ```js
 * import { keyFromMnemonic } from 'countersign/mnemonic';
 *
 * const key = await keyFromMnemonic(phrase, { path: "m/44'/501'/1'/0'" });
 * ```
 * @throws {CountersignError} `invalid_mnemonic` with what is wrong, and never with a word of the phrase; `invalid_path`;
 *   `invalid_passphrase` where it is no text.
 */
export async function keyFromMnemonic(phrase: string, options: MnemonicOptions = {}): Promise<Key> {
  const { passphrase = '', path = "m/44'/501'/0'/0'" } = options;
  const checked = checkPhrase(phrase);
  if (typeof passphrase !== 'string') throw new CountersignError('invalid_passphrase', 'the passphrase of a mnemonic is a text');
  if (typeof path !== 'string' || !isPath(path)) {
    throw new CountersignError('invalid_path', "a path is written like m/44'/501'/0'/0', every step with its ' and below 2147483648");
  }
  const seed = await mnemonicToSeed(checked, passphrase);
  try {
    return await Key.of({ seed: derive(seed, path), publicKey: undefined });
  } finally {
    seed.fill(0);
  }
}

/** The phrase as BIP39 hashes it. */
function checkPhrase(phrase: string): string {
  const words = typeof phrase === 'string' ? phrase.trim().toLowerCase().split(/\s+/) : [];
  if (![12, 15, 18, 21, 24].includes(words.length)) throw invalid(`a phrase has 12, 15, 18, 21 or 24 words, this one ${words.length}`);
  const unknown = words.findIndex((word) => !wordlist.includes(word));
  if (unknown >= 0) throw invalid(`word ${unknown + 1} is not in the English list of BIP39`);
  const checked = words.join(' ');
  try {
    mnemonicToEntropy(checked, wordlist).fill(0);
  } catch {
    throw invalid('its checksum is wrong: a word is another, or they are in another order');
  }
  return checked;
}

function isPath(path: string): boolean {
  return /^m(\/\d{1,10}')*$/.test(path) && (path.match(/\d+/g) ?? []).every((step) => Number(step) < 2 ** 31);
}

/** Overwrites what lies on the way, as far as the library shows it. */
function derive(seed: Uint8Array, path: string): Uint8Array<ArrayBuffer> {
  const master = HDKey.fromMasterSeed(seed);
  const child = master.derive(path);
  const secret = new Uint8Array(child.privateKey);
  for (const { privateKey, chainCode } of [master, child]) {
    privateKey.fill(0);
    chainCode.fill(0);
  }
  return secret;
}

function invalid(why: string): CountersignError {
  return new CountersignError('invalid_mnemonic', `not a mnemonic phrase: ${why}`);
}
