import { Key, verify } from 'countersign';
import { Wallet } from './wallet.js';

/** Rendered when it is built, in Node.js. */
export default async function Page() {
  const key = await Key.generate();
  const holds = await verify(key.publicKey, new Uint8Array([1]), `${'A'.repeat(86)}==`);
  return (
    <main>
      <p>{`on the server: ${holds}`}</p>
      <Wallet />
    </main>
  );
}
