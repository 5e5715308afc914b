import { CountersignError, Key, Wallet } from 'countersign';

try {
  new Wallet({ key: await Key.generate(), url: 'wss://example.com/ws' });
} catch (error) {
  console.log(error instanceof CountersignError ? error.code : error);
}
