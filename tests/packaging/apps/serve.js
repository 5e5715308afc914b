import { Key, Wallet } from 'countersign';

/** Connects with a new key and signs one request. `say` hears who is there, and then how the request ended. */
export async function serve(url, say) {
  const wallet = new Wallet({ key: await Key.generate(), url });
  let label;
  wallet.on('frame', ({ type, text }) => {
    if (type === 'introduction') label = JSON.parse(text).device.label;
  });
  wallet.on('request', async (request) => {
    request.displayed();
    await request.approve({ approvedBy: 'policy:packaging' });
    wallet.close();
    say({ state: request.state });
  });
  await wallet.connect();
  say({ publicKey: wallet.publicKey, label });
}
