import { attackPanel } from './attacks/panel.js';
import { backendPanel } from './backend-panel.js';
import { clusterPanel } from './cluster/panel.js';
import { codeTabs } from './code-tabs.js';
import { guide } from './guide.js';
import { secondDevice } from './second-device.js';
import { verifyPanel } from './verify/panel.js';
import { walletPanel } from './wallet-panel.js';
import { frameLog } from './wire/frame-log.js';

const way = guide();
const cluster = clusterPanel();
const log = frameLog();
const check = verifyPanel({ onFlip: way.flipped });
const backend = backendPanel({
  onAsk: way.asked,
  onNode: cluster.called,
  onAnswer: (id) => wallet.cardOf(id)?.linkToAnswer(),
  onEnd({ signed, isKnown }) {
    way.ended(signed.length > 0, isKnown);
    if (signed.length > 0) void check.show(signed[0]);
  },
});
const device = secondDevice();
const wallet = walletPanel({
  onKey(publicKey) {
    backend.useWalletKey(publicKey);
    void device.useKey(publicKey);
    cluster.useKey(publicKey);
  },
  onState: cluster.walletIs,
  onOpen: backend.requestsWait,
  onExample: backend.suggest,
  onFrame(frame) {
    log.add(frame);
    backend.hear(frame);
  },
});
attackPanel({ token: backend.token, onFrame: log.add });
codeTabs();
