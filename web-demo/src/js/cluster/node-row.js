import { fromTemplate } from '../dom.js';

/**
 * One of several servers.
 *
 * @param {number} number
 */
export function nodeRow(number) {
  const { root, parts } = fromTemplate('node-row');
  let id = '';
  parts.name.textContent = `Node ${number}`;

  return {
    number,
    root,
    id: () => id,
    isUp: () => root.dataset.state === 'up',
    hasWallet: () => !parts.wallet.hidden,
    /** @param {boolean} tookLast whether it took the last call */
    tookLast: (tookLast) => {
      parts.call.hidden = !tookLast;
    },
    /**
     * Shows what is known of it.
     *
     * @param {DemoServer | null} server what it says of itself; null where it does not answer
     * @param {string[]} holders the ids of those that have the wallet's connection
     */
    show(server, holders) {
      const { node = '' } = server ?? {};
      // One that is down is who it was.
      id = node || id;
      root.dataset.state = node ? 'up' : 'down';
      parts.state.textContent = node ? 'Up' : 'Down';
      parts.id.textContent = id;
      parts.wallet.hidden = !holders.includes(node);
    },
  };
}
