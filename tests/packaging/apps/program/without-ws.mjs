import { Key, Wallet } from 'countersign';

try {
  new Wallet({ key: await Key.generate(), url: 'wss://example.com/ws' });
} catch ({ code }) {
  console.log(code);
}
