import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { place } from './modules.mjs';
import { CountersignError, directory, Key, load } from './package.mjs';
import { holds } from './server.mjs';

// What a page has, as far as apps and wallets of the standard use it.
Object.assign(globalThis, { window: new EventTarget() });

const { getWallets } = await import('@wallet-standard/app');
const { registerWallet } = await load('countersign/wallet-standard');

const ICON = 'data:image/svg+xml;base64,PHN2Zy8+';
const code = (expected) => (error) => error instanceof CountersignError && error.code === expected;

/** The wallet that was registered last, with the types that the package gives it. */
const lastRegistered = () =>
  /** @type {import('countersign/wallet-standard').StandardWallet} */ (/** @type {unknown} */ (getWallets().get().at(-1)));

/** A registered wallet, as an app finds it, and what its owner was asked. */
async function registered(t, approve) {
  const key = await Key.generate();
  const asked = [];
  const unregister = registerWallet({
    key,
    name: 'Example',
    icon: ICON,
    ...(approve && {
      approve(request) {
        asked.push(request);
        return approve(request);
      },
    }),
  });
  t.after(unregister);
  const wallet = lastRegistered();
  const { features } = wallet;
  return {
    key,
    wallet,
    asked,
    unregister,
    connect: features['standard:connect'].connect,
    disconnect: features['standard:disconnect'].disconnect,
    on: features['standard:events'].on,
    signBytes: features['countersign:signBytes'].signBytes,
  };
}

test('apps find the wallet whether they or it come first, once, until it is withdrawn', async (t) => {
  let callLater = (_registry) => {};
  const keep = (event) => {
    callLater = event.detail;
  };
  window.addEventListener('wallet-standard:register-wallet', keep, { once: true });
  const { wallet, unregister } = await registered(t);
  assert.deepEqual([wallet.version, wallet.name, wallet.icon, wallet.accounts], ['1.0.0', 'Example', ICON, []]);
  assert.deepEqual(wallet.chains, ['countersign:ed25519']);
  const found = [];
  const late = Object.assign(new Event('wallet-standard:app-ready'), {
    detail: {
      register(wallet) {
        found.push(wallet);
        return () => found.splice(found.indexOf(wallet), 1);
      },
    },
  });
  window.dispatchEvent(late);
  window.dispatchEvent(late);
  assert.deepEqual(found, [wallet]);
  unregister();
  assert.deepEqual(
    [
      getWallets()
        .get()
        .some((one) => Object.is(one, wallet)),
      found,
    ],
    [false, []],
  );
  window.dispatchEvent(late);
  callLater(late.detail);
  assert.deepEqual(found, []);
});

test('an app connects, has bytes signed, and disconnects; changes are told', async (t) => {
  const { key, wallet, asked, connect, disconnect, on, signBytes } = await registered(t, () => true);
  const changes = [];
  const off = on('change', ({ accounts }) => changes.push(accounts?.length));
  assert.deepEqual(await connect({ silent: true }), { accounts: [] });
  assert.deepEqual(asked, []);
  const [{ accounts }] = await Promise.all([connect(), connect()]);
  assert.deepEqual(asked, [{ feature: 'standard:connect' }], 'asked once, however often it is called');
  const [account] = accounts;
  assert.equal(wallet.accounts, accounts);
  assert.deepEqual([account.address, Buffer.from(account.publicKey).toString('base64')], [key.publicKey, key.publicKey]);
  assert.deepEqual(await connect({ silent: true }), { accounts });

  const messages = ['one', 'two'].map((text) => new TextEncoder().encode(text));
  const outputs = await signBytes(...messages.map((message) => ({ account, message })));
  assert.deepEqual(
    outputs.map(({ signature }, at) => holds(key.publicKey, messages[at], Buffer.from(signature).toString('base64'))),
    [true, true],
  );
  assert.deepEqual(asked.slice(1), [{ feature: 'countersign:signBytes', messages }]);
  assert.deepEqual(await signBytes(), []);
  await disconnect();
  await disconnect();
  assert.deepEqual([wallet.accounts, changes], [[], [1, 0]]);
  await assert.rejects(signBytes({ account, message: messages[0] }), code('not_connected'));
  off();
  await connect();
  assert.equal(changes.length, 2);
});

test('without a yes nothing is shown and nothing signed', async (t) => {
  for (const approve of [undefined, () => false, async () => false, () => 'yes', () => 1, () => undefined]) {
    const { connect, wallet } = await registered(t, approve);
    await assert.rejects(connect(), code('rejected'));
    assert.deepEqual(wallet.accounts, []);
  }
  const { connect, signBytes } = await registered(t, ({ feature }) => feature === 'standard:connect');
  const {
    accounts: [account],
  } = await connect();
  await assert.rejects(signBytes({ account, message: Buffer.from('hello') }), code('rejected'));
  const broken = await registered(t, () => {
    throw new Error('no prompt');
  });
  await assert.rejects(broken.connect(), /no prompt/);
  await assert.rejects(broken.connect(), /no prompt/);
});

test('what could stand for a signature of the protocol is refused, and so is what is no message', async (t) => {
  const { connect, signBytes, asked } = await registered(t, () => true);
  const {
    accounts: [account],
  } = await connect();
  const reserved = Buffer.concat([Buffer.of(0xff), Buffer.from('countersign/v1/introduction\0')]);
  for (const message of [reserved, new Uint8Array(), new Uint8Array(65_537), 'text', undefined, [1]]) {
    await assert.rejects(
      // @ts-expect-error: not what it takes
      signBytes({ account, message: Buffer.from('fine') }, { account, message }),
      code('invalid_message'),
      String(message),
    );
  }
  for (const account of [undefined, {}, { address: 'other' }]) {
    // @ts-expect-error: not what it takes
    await assert.rejects(signBytes({ account, message: Buffer.from('x') }), code('not_connected'));
  }
  // @ts-expect-error: not what it takes
  await assert.rejects(signBytes(undefined), code('not_connected'));
  await assert.rejects(signBytes(...Array(17).fill({ account, message: Buffer.from('x') })), code('rate_limited'));
  assert.equal(asked.length, 1);
  await signBytes({ account, message: new Uint8Array(65_536) });
});

test('what is signed is what was shown, whatever happens to the arrays meanwhile', async (t) => {
  const message = Buffer.from('Pay 1 EUR');
  const { key, connect, signBytes, asked } = await registered(t, ({ messages }) => {
    message.write('Pay 9');
    messages?.[0].fill(0);
    return true;
  });
  const {
    accounts: [account],
  } = await connect();
  message.write('Pay 1');
  const [{ signature }] = await signBytes({ account, message });
  assert.ok(holds(key.publicKey, Buffer.from('Pay 1 EUR'), Buffer.from(signature).toString('base64')));
  assert.equal(asked.length, 2);
});

test('an app that is disconnected while it asks gets nothing, and one that floods is stopped', async (t) => {
  const answers = [];
  const { connect, disconnect, signBytes } = await registered(
    t,
    ({ feature }) => feature === 'standard:connect' || new Promise((resolve) => answers.push(resolve)),
  );
  const {
    accounts: [account],
  } = await connect();
  const pending = Array.from({ length: 16 }, () =>
    assert.rejects(signBytes({ account, message: Buffer.from('x') }), code('not_connected')),
  );
  await assert.rejects(signBytes({ account, message: Buffer.from('x') }), code('rate_limited'));
  await disconnect();
  for (const answer of answers) answer(true);
  await Promise.all(pending);
  await connect();
  const signed = signBytes({ account, message: Buffer.from('x') });
  answers.at(-1)(true);
  assert.equal((await signed).length, 1);
});

test('a signer that gives no signature is not believed', async (t) => {
  const { publicKey } = await Key.generate();
  for (const signature of [undefined, 'x', new Uint8Array(63)]) {
    t.after(
      registerWallet({ key: { publicKey, storage: 'custom', sign: () => signature }, name: 'Custom', icon: ICON, approve: () => true }),
    );
    const { features } = lastRegistered();
    const {
      accounts: [account],
    } = await features['standard:connect'].connect();
    await assert.rejects(features['countersign:signBytes'].signBytes({ account, message: Buffer.from('x') }), code('signer_failed'));
  }
});

test('what cannot be a wallet is refused with the reason', async () => {
  const key = await Key.generate();
  assert.throws(() => registerWallet({ name: 'x', icon: ICON }), code('invalid_key'));
  assert.throws(() => registerWallet({ key: { publicKey: 'AAAA', storage: '', sign() {} }, name: 'x', icon: ICON }), code('invalid_key'));
  for (const wrong of [
    { name: '' },
    { name: 7 },
    { icon: 'https://example.com/icon.svg' },
    { icon: 'data:text/html;base64,' },
    { icon: undefined },
  ]) {
    assert.throws(() => registerWallet({ key, name: 'x', icon: ICON, ...wrong }), code('invalid_wallet'), JSON.stringify(wrong));
  }
});

test('it is a wallet by the types of the standard', () => {
  place('@wallet-standard/base', '@wallet-standard/features');
  writeFileSync(
    join(directory, 'standard.ts'),
    `
    import type { Wallet, WalletAccount, WalletWithFeatures } from '@wallet-standard/base';
    import type { StandardConnectFeature, StandardDisconnectFeature, StandardEventsFeature } from '@wallet-standard/features';
    import { registerWallet, type StandardAccount, type StandardRequest, type StandardWallet } from 'countersign/wallet-standard';
    import { describe, Key } from 'countersign';
    declare const ours: StandardWallet;
    const wallet: Wallet = ours;
    const withFeatures: WalletWithFeatures<StandardConnectFeature & StandardDisconnectFeature & StandardEventsFeature> = ours;
    const account: WalletAccount | undefined = ours.accounts[0] satisfies StandardAccount | undefined;
    const off: () => void = registerWallet({
      key: await Key.generate(), name: 'x', icon: 'data:image/png;base64,',
      approve: (request: StandardRequest) => request.feature !== 'countersign:signBytes' || request.messages.map(describe).length > 0,
    });
    // @ts-expect-error: an icon is a data URL
    registerWallet({ key: await Key.generate(), name: 'x', icon: 'https://example.com/icon.png' });
    export { account, off, wallet, withFeatures };
  `,
  );
  const tsc = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules', '.bin', 'tsc');
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--lib',
    'es2023,dom,esnext.disposable',
    '--types',
    '',
  ];
  try {
    execFileSync(tsc, [...options, 'standard.ts'], { cwd: directory, encoding: 'utf8' });
  } catch (error) {
    assert.fail(/** @type {{ stdout: string }} */ (error).stdout);
  }
});
