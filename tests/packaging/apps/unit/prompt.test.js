import { describe as describeMessage, Key, verify, Wallet } from 'countersign';
import { answerOf, endRequest, testBatch, testRequest, testWallet, wasDisplayed } from 'countersign/testing';
import { prompt } from './prompt.js';

const click = (section, label) => [...section.querySelectorAll('button')].find(({ textContent }) => textContent === label).click();

test('a click approves', async () => {
  const request = testRequest('Pay 25 EUR to Alice');
  const section = prompt(request, document);
  expect(section.textContent).toContain('Example Shop asks: Pay 25 EUR to Alice');
  expect(wasDisplayed(request)).toBe(true);
  click(section, 'Approve');
  expect(request.state).toBe('answered');
  await new Promise((resolve) => setTimeout(resolve));
  expect(answerOf(request)).toEqual({ approvedBy: 'human' });
  expect(section.querySelector('output').textContent).toBe('accepted');
});

test('a click declines', async () => {
  const request = testRequest('Pay 25 EUR to Alice', { onAnswer: 'pending' });
  const section = prompt(request, document);
  click(section, 'Decline');
  endRequest(request, 'declined');
  await Promise.resolve();
  expect(answerOf(request)).toEqual({ code: 'user_rejected', reason: 'not this time', scope: 'key' });
});

test('nobody is asked about what is over, and what is late is said', async () => {
  const gone = testRequest('Pay 25 EUR to Alice');
  const section = prompt(gone, document);
  expect(document.body.contains(section)).toBe(true);
  endRequest(gone, 'expired');
  expect(document.body.contains(section)).toBe(false);
  const late = testRequest('Pay 25 EUR to Alice', { onAnswer: 'late' });
  const { error } = await late.approve();
  expect(error.code).toBe('late');
  expect((await testBatch(['one', 'two']).approve()).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
});

test('a wallet of the key is one without a server', async () => {
  const { key, ask } = await testWallet();
  const wallet = new Wallet({ key });
  const sections = [];
  wallet.on('request', (request) => sections.push(prompt(request, document)));
  await wallet.connect();
  const request = await ask('Pay 25 EUR to Alice');
  click(sections[0], 'Approve');
  await new Promise((resolve) => wallet.on('ended', resolve));
  expect(request.state).toBe('accepted');
  wallet.close();
});

test('the package itself runs: keys, signatures, descriptions', async () => {
  const key = await Key.generate();
  for (const bytes of [new TextEncoder().encode('hello'), new Uint8Array([1, 2, 3])]) {
    expect(await verify(key.publicKey, bytes, key.sign(bytes))).toBe(true);
    expect(await verify(key.publicKey, new Uint8Array(), key.sign(bytes))).toBe(false);
    expect(describeMessage(bytes).text.length).toBeGreaterThan(3);
  }
});
