// What the tests of wallets share: a server, a key and a wallet, all ended when the test is.
import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import { CountersignError, Key, Wallet } from './package.mjs';
import { FakeServer } from './server.mjs';

/** @type {(() => unknown)[]} */
export const cleanups = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** @param {Partial<import('countersign').WalletOptions>} options */
export async function setUp(options = {}) {
  const server = await FakeServer.start();
  cleanups.push(() => server.stop());
  const key = await Key.generate();
  return { server, key, wallet: walletOf(server, key, options) };
}

/**
 * @param {FakeServer} server
 * @param {import('countersign').Signer} key
 * @param {Partial<import('countersign').WalletOptions>} options
 */
export function walletOf(server, key, options = {}) {
  const wallet = new Wallet({ key, url: server.url, backoff: { initialMs: 20, maxMs: 50 }, ...options });
  cleanups.push(() => wallet.close());
  return wallet;
}

/**
 * Lists what a wallet tells.
 *
 * @param {import('countersign').Wallet} wallet
 */
export function listen(wallet) {
  /** @type {import('countersign').SignRequest[]} */
  const requests = [];
  /** @type {import('countersign').CountersignError[]} */
  const errors = [];
  wallet.on('request', (request) => requests.push(request));
  wallet.on('error', (error) => errors.push(error));
  return { wallet, requests, errors };
}

/**
 * Welcomes a wallet that puts its requests into a list.
 *
 * @param {FakeServer} server
 * @param {import('countersign').Wallet} wallet
 */
export async function welcomed(server, wallet, welcome = {}) {
  const lists = listen(wallet);
  const connecting = wallet.connect();
  const peer = await server.peer();
  const introduced = await peer.welcome(welcome);
  await connecting;
  return { ...lists, peer, ...introduced };
}

/** @param {Partial<import('countersign').WalletOptions>} options */
export async function connected(options = {}, welcome = {}) {
  const { server, key, wallet } = await setUp(options);
  return { server, key, ...(await welcomed(server, wallet, welcome)) };
}

/**
 * What became of an answer, and why.
 *
 * @param {Promise<import('countersign').Outcome>} outcome
 * @param {(error: unknown) => boolean} check
 */
export async function became(outcome, check) {
  check((await outcome).error);
}

/**
 * Says of an error that it has this code, and this in its message.
 *
 * @param {string} expected
 * @param {string | RegExp} text
 */
export const code =
  (expected, text = '') =>
  /** @param {unknown} error */
  (error) => {
    assert.ok(error instanceof CountersignError && error instanceof Error, String(error));
    assert.equal(error.code, expected, error.message);
    assert.ok(text instanceof RegExp ? text.test(error.message) : error.message.includes(text), error.message);
    return true;
  };

/**
 * The next event of that name that is accepted.
 *
 * @template {keyof import('countersign').WalletEvents} Name
 * @param {import('countersign').Wallet} wallet
 * @param {Name} name
 * @param {(event: import('countersign').WalletEvents[Name]) => unknown} accept
 * @returns {Promise<import('countersign').WalletEvents[Name]>}
 */
export function event(wallet, name, accept = () => true) {
  return new Promise((resolve) => {
    const off = wallet.on(name, (value) => {
      if (!accept(value)) return;
      off();
      resolve(value);
    });
  });
}

/**
 * @param {import('countersign').Wallet} wallet
 * @param {import('countersign').ConnectionState} name
 */
export const state = (wallet, name) => event(wallet, 'state', (event) => event.state === name);

/**
 * Everything the wallet sends before it answers a ping that is sent now.
 *
 * @param {import('./server.mjs').Peer} peer
 */
export async function untilPong(peer) {
  peer.send('ping', { t: 1 });
  /** @type {import('./server.mjs').Frame[]} */
  const frames = [];
  for (;;) {
    const frame = await peer.frames.next();
    if (frame.type === 'pong') return frames;
    frames.push(frame);
  }
}
