import { Wallet } from './wallet.js';

export default function Page() {
  return <main><Wallet /></main>;
}
