import { nodesWith, restartServer } from '../api.js';
import { byId } from '../dom.js';
import { duration } from '../format.js';
import { nodeRow } from './node-row.js';
import { allNodes, isOfSeveral, pathOf } from './nodes.js';

const POLL_MS = 1_000;
const POLL_CHANGING_MS = 200;
/** Longer than the others take to give it up and go on with its requests. */
const DOWN_MS = 10_000;

/** Several servers on one database: which has the wallet, which took the last call, and a button that kills the wallet's. */
export function clusterPanel() {
  const button = byId('kill-node');
  /** @type {ReturnType<typeof nodeRow>[]} */
  let rows = [];
  let publicKey = '';
  let lastNode = '';
  /** The one that this was, also when it is another process by now. */
  let lastNumber = 0;
  /** @type {number | undefined} Since when the wallet has had no connection. */
  let awaySince;
  /** @type {{ number: number, awayMs?: number } | undefined} The wallet's server, from when it was killed until the wallet is found again. */
  let killed;

  const holder = () => rows.find((row) => row.isUp() && row.hasWallet());

  async function look() {
    const [nodes, holders] = await Promise.all([allNodes(), publicKey ? nodesWith(publicKey) : null]);
    rows.forEach((row, index) => row.show(nodes[index], holders ?? []));
    lastNumber = rows.find((row) => row.id() === lastNode)?.number ?? lastNumber;
    rows.forEach((row) => row.tookLast(row.number === lastNumber));
    button.setAttribute('aria-disabled', String(Boolean(killed) || !holder()));
    const found = holder();
    if (killed?.awayMs !== undefined && found) {
      const away = duration(killed.awayMs);
      say(`Node ${killed.number} was killed. Your wallet was away for ${away}, and is connected to node ${found.number} now.`, 'good');
      killed = undefined;
    }
  }

  async function kill() {
    const target = holder();
    if (killed || !target) return;
    killed = { number: target.number };
    button.setAttribute('aria-disabled', 'true');
    say(`Node ${target.number} ends without a word. Your wallet looks for another one.`, 'waiting');
    if (await restartServer({ path: pathOf(target.number), downMs: DOWN_MS }).catch(() => false)) return;
    killed = undefined;
    say(`Node ${target.number} did not let itself be killed.`, 'bad');
  }

  async function keepLooking() {
    for (;;) {
      if (!document.hidden) await look();
      const isSettled = holder() && rows.every((row) => row.isUp());
      await new Promise((resolve) => {
        setTimeout(resolve, isSettled && !killed ? POLL_MS : POLL_CHANGING_MS);
      });
    }
  }

  async function begin() {
    const nodes = await allNodes();
    // Otherwise the page came from a cache, and its several servers are gone.
    if (!nodes.some((node) => node?.node)) return;
    rows = nodes.map((_, index) => nodeRow(index + 1));
    byId('nodes').append(...rows.map(({ root }) => root));
    byId('cluster').hidden = false;
    button.addEventListener('click', kill);
    await keepLooking();
  }

  if (isOfSeveral()) void begin();
  return {
    /** @param {string} key */
    useKey(key) {
      publicKey = key;
    },
    /**
     * Learns which server took the last call.
     *
     * @param {string} node
     */
    called(node) {
      lastNode = node;
    },
    /**
     * Learns how the wallet's connection stands.
     *
     * @param {string} state
     */
    walletIs(state) {
      if (state !== 'connected') {
        awaySince ??= performance.now();
        return;
      }
      if (killed && awaySince !== undefined) killed.awayMs = performance.now() - awaySince;
      awaySince = undefined;
    },
  };
}

/**
 * @param {string} text
 * @param {Tone} tone
 */
function say(text, tone) {
  const news = byId('cluster-news');
  news.dataset.tone = tone;
  news.textContent = text;
}
