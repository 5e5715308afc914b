// A wallet as somebody's first page has it: a card for each request, with two buttons.

import { describe, Key, openKey, Wallet } from './countersign/browser.js';

const { url, seed } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const key = seed === undefined ? await openKey() : await Key.fromSeed(Uint8Array.from(seed.split(','), Number));
const wallet = new Wallet({ key, url });
const facts = document.body.dataset;
Object.assign(facts, { publicKey: key.publicKey, storage: key.storage });

wallet.on('state', ({ state }) => {
  facts.state = state;
});

wallet.on('request', (request) => {
  const card = document.createElement('article');
  card.className = 'request';
  Object.assign(card.dataset, { requestId: request.id, resumed: request.resumed });
  card.append(
    describe(request.message).text,
    button('Approve', () => request.approve()),
    button('Decline', () => request.reject()),
  );
  const item = document.createElement('section');
  item.append(card);
  document.body.append(item);
  request.displayed();
  request.on('change', () => request.state !== 'open' && item.remove());
});

wallet.on('ended', ({ state }) => {
  facts.ended = state;
});

wallet.on('frame', ({ direction, type }) => {
  facts[direction] = type;
});

wallet.on('elsewhere', (requests) => {
  facts.elsewhere = String(requests.length);
});

// A page that went to the browser's cache and came back alive, rather than being loaded again.
addEventListener('pageshow', ({ persisted }) => {
  facts.persisted = String(persisted);
});

function button(name, onclick) {
  return Object.assign(document.createElement('button'), { textContent: name, onclick });
}

await wallet.connect();
