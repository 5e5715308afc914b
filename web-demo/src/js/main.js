import { backendPanel } from './backend-panel.js';
import { walletPanel } from './wallet-panel.js';

const backend = backendPanel({ onAnswer: (id) => wallet.cardOf(id)?.linkToAnswer() });
const wallet = walletPanel({ onKey: backend.useWalletKey, onOpen: backend.requestsWait });
