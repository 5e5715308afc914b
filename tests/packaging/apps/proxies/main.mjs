// Every public class within what the frameworks make of an object, as Node.js runs them.
import assert from 'node:assert/strict';
import * as countersign from 'countersign';
import { testBatch, testRequest, testWallet } from 'countersign/testing';
import { Window } from 'happy-dom';
import { observable } from 'mobx';
import { createMutable, createStore } from 'solid-js/store';
import { proxy, ref as unproxied } from 'valtio/vanilla';
import * as vue from 'vue';

/** Alpine has its own copy of Vue's reactivity, and wants a page when it is loaded. */
async function alpine() {
  const window = new Window();
  const { document, Element, MutationObserver, CustomEvent, ShadowRoot, Node } = window;
  Object.assign(globalThis, { window, document, Element, MutationObserver, CustomEvent, ShadowRoot, Node });
  // What Node.js imports of it is CommonJS, which has a default of its own.
  const { default: commonJs } = await import('alpinejs');
  return commonJs.default.reactive;
}

const { wallet, ask } = await testWallet();
const { key: testKey } = await testWallet();
wallet.on('request', () => {});
const key = await countersign.Key.generate();
const webCryptoKey = await countersign.WebCryptoKey.generate();
const bytes = new Uint8Array([1, 2, 3]);

/** What is made, and what is done with it through a framework. */
const classes = {
  Wallet: [wallet, (it) => it.connect().then(() => it.on('state', () => {})())],
  Policies: [wallet.policies, (it) => it.grant({ requester: 'Example Shop', kind: 'json' }).then(({ id }) => it.revoke(id))],
  Key: [key, (it) => new countersign.Wallet({ key: it, url: 'wss://example.com/ws' }) && it.sign(bytes) && it.exportJwk()],
  WebCryptoKey: [webCryptoKey, (it) => it.sign(bytes)],
  SignRequest: [() => ask('hello'), (it) => it.approve().then(({ state }) => assert.equal(state, 'accepted'))],
  SignBatch: [() => testBatch(['one', 'two']), (it) => it.approve().then(([{ state }]) => assert.equal(state, 'accepted'))],
  MemoryPolicyStore: [
    new countersign.MemoryPolicyStore(),
    (it) => it.updatePolicies({ publicKey: key.publicKey, audience: 'wss://example.com/ws' }, () => undefined),
  ],
  CountersignError: [await testRequest('x', { onAnswer: 'late' }).approve(), (it) => assert.equal(it.error.code, 'late')],
  'test key': [testKey, (it) => new countersign.Wallet({ key: it }).connect()],
};
const exported = Object.keys(countersign).filter((name) => /^[A-Z]/.test(name));
assert.deepEqual(
  exported.filter((name) => !(name in classes)),
  [],
);

const frameworks = {
  'Vue reactive': (it) => vue.reactive({ it }).it,
  'Vue ref': (it) => vue.ref(it).value,
  'Vue, deep': (it) => vue.reactive({ list: [{ it }] }).list[0]?.it,
  Alpine: await alpine().then((reactive) => (it) => reactive({ it }).it),
  MobX: (it) => observable({ it }).it,
  'Solid store': (it) => createStore({ it })[0].it,
  'Solid mutable': (it) => createMutable({ it }).it,
  'Valtio ref': (it) => proxy({ it: unproxied(it) }).it,
};
for (const [framework, made] of Object.entries(frameworks)) {
  for (const [name, [it, use]] of Object.entries(classes)) {
    try {
      // One that was answered cannot be answered again.
      await use(made(name.startsWith('Sign') ? await it() : it));
    } catch (cause) {
      throw new Error(`${name} in ${framework}`, { cause });
    }
  }
}
wallet.close();
console.log(`${Object.keys(classes).length} classes in ${Object.keys(frameworks).join(', ')}`);
process.exit();
