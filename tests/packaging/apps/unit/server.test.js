import { Key, Wallet } from 'countersign';

/** What stands in the page's environment variables, for a test that has the real server. */
const { WALLETS, BACKEND } = process.env;
const { request: httpRequest } = process.getBuiltinModule('node:http');

/** Asks as a backend does, from outside the page. */
function sendToSign(body) {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      `${BACKEND}/v1/send_to_sign`,
      { method: 'POST', headers: { 'content-type': 'application/json' } },
      (response) => {
        response.on('data', () => {});
        response.on('end', () => resolve(response.statusCode));
      },
    );
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

test('a wallet connects from here to the real server, and signs', async () => {
  const wallet = new Wallet({ key: await Key.generate(), url: WALLETS, store: false });
  let outcome;
  wallet.on('request', (request) => (outcome = request.approve()));
  await wallet.connect();
  expect(await sendToSign({ public_key: wallet.publicKey, message: btoa('hello') })).toBe(200);
  expect((await outcome).state).toBe('accepted');
  wallet.close();
});
