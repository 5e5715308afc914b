// Keys from phrases, against the vectors of SLIP-0010 and the addresses Solana wallets show.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { HDKey } from 'micro-key-producer/slip10.js';
import { code } from './bench.mjs';
import { place } from './modules.mjs';
import { countersign, directory, Key, load } from './package.mjs';

const { formatPublicKey } = countersign;

// In a process of its own, since a module that failed to load here would not be tried again.
const importing = "import('countersign/mnemonic').catch(({ code, message }) => console.log(code, message))";
const withoutPeers = execFileSync(process.execPath, ['--input-type=module', '-e', importing], { cwd: directory, encoding: 'utf8' });
place('@scure/bip39', 'micro-key-producer');
const { keyFromMnemonic } = await load('countersign/mnemonic');

const ABANDON = `${'abandon '.repeat(11)}about`;
const COOKBOOK = 'neither lonely flavor argue grass remind eye tag avocado spot unusual intact';
const address = async (...args) => formatPublicKey((await keyFromMnemonic(...args)).publicKey, 'base58');

test('without its peers the subpath names what is missing', () => {
  assert.match(withoutPeers, /^ERR_MODULE_NOT_FOUND .*@scure\/bip39/);
});

test('the addresses are those of Solana wallets', async () => {
  assert.equal(await address(ABANDON), 'HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk');
  assert.equal(await address(COOKBOOK), '5vftMkHL72JaJG6ExQfGAsT2uGVHpRR7oTNUPMs68Y2N');
  assert.equal(await address(COOKBOOK, { path: "m/44'/501'/1'/0'" }), 'GcXbfQ5yY3uxCyBNDPBbR5FjumHf89E7YHXuULfGDBBv');
  assert.equal(await address(`  ${ABANDON.toUpperCase().replaceAll(' ', '\n ')}\n`), await address(ABANDON));
  assert.notEqual(await address(ABANDON, { passphrase: 'TREZOR' }), await address(ABANDON));
});

test('the keys are those of SLIP-0010', async () => {
  const long =
    'fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542';
  const vectors = [
    [
      '000102030405060708090a0b0c0d0e0f',
      'm',
      '2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7',
      'a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed',
    ],
    [
      '000102030405060708090a0b0c0d0e0f',
      "m/0'/1'/2'/2'/1000000000'",
      '8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793',
      '3c24da049451555d51a7014a37337aa4e12d41e485abccfa46b47dfb2af54b7a',
    ],
    [
      long,
      "m/0'/2147483647'/1'/2147483646'/2'",
      '551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d',
      '47150c75db263559a70d5778bf36abbab30fb061ad69f69ece61a72b0cfa4fc0',
    ],
  ];
  for (const [seed, path, secret, publicKey] of vectors) {
    const { privateKey } = HDKey.fromMasterSeed(Buffer.from(seed, 'hex')).derive(path);
    assert.equal(Buffer.from(privateKey).toString('hex'), secret);
    assert.equal(formatPublicKey((await Key.fromSeed(privateKey)).publicKey, 'hex'), publicKey);
  }
  // BIP39's own vector of this phrase: its seed, and the master key of that.
  const seed =
    'c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04';
  const key = await keyFromMnemonic(ABANDON, { passphrase: 'TREZOR', path: 'm' });
  assert.deepEqual(Buffer.from(key.exportSeed()), Buffer.from(HDKey.fromMasterSeed(Buffer.from(seed, 'hex')).privateKey));
});

test('what is no phrase, path or passphrase is refused, and no word of it repeated', async () => {
  const refused = async (promise, expected, text) =>
    assert.rejects(promise, (error) => {
      assert.doesNotMatch(String(error), /abandon|about|zoo|neither/);
      return code(expected, text)(error);
    });
  await refused(keyFromMnemonic(`${ABANDON} about`), 'invalid_mnemonic', /this one 13/);
  await refused(keyFromMnemonic(''), 'invalid_mnemonic', /this one 1/);
  await refused(keyFromMnemonic(undefined), 'invalid_mnemonic', /this one 0/);
  await refused(keyFromMnemonic(ABANDON.replace('about', 'zooo')), 'invalid_mnemonic', /word 12 is not/);
  await refused(keyFromMnemonic(ABANDON.replace('about', 'zoo')), 'invalid_mnemonic', /checksum/);
  for (const path of ['', 'm/', "M/0'", "m/44'/501'/0", "m/0'/2147483648'", "m/99999999999'", "m/-1'", "m/0x1'", 'm/0h', null, 7]) {
    await refused(keyFromMnemonic(ABANDON, { path }), 'invalid_path');
  }
  await refused(keyFromMnemonic(ABANDON, { passphrase: 7 }), 'invalid_passphrase');
});
