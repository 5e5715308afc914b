import { attackPanel } from './attacks/panel.js';
import { backendPanel } from './backend-panel.js';
import { codeTabs } from './code-tabs.js';
import { guide } from './guide.js';
import { verifyPanel } from './verify/panel.js';
import { walletPanel } from './wallet-panel.js';
import { frameLog } from './wire/frame-log.js';

const way = guide();
const log = frameLog();
const check = verifyPanel({ onFlip: way.flipped });
const backend = backendPanel({
  onAsk: way.asked,
  onAnswer: (id) => wallet.cardOf(id)?.linkToAnswer(),
  onEnd({ signed, isKnown }) {
    way.ended(signed.length > 0, isKnown);
    if (signed.length > 0) void check.show(signed[0]);
  },
});
const wallet = walletPanel({
  onKey: backend.useWalletKey,
  onOpen: backend.requestsWait,
  onExample: backend.suggest,
  onFrame(frame) {
    log.add(frame);
    backend.hear(frame);
  },
});
attackPanel({ token: backend.token, onFrame: log.add });
codeTabs();
