import { keepsRequests } from './api.js';
import { byId } from './dom.js';

/**
 * The option to have a request written down. Whether the server can is asked when somebody first wants it.
 *
 * @param {() => void} onChange called when the option has changed by itself
 */
export function durableOption(onChange) {
  const option = byId('durable');
  option.addEventListener('change', async () => {
    if (!option.checked || (await keepsRequests()) !== false) return;
    option.checked = false;
    option.disabled = true;
    byId('durable-hint').textContent = 'This server keeps nothing. Start it with --data-dir, and requests can wait for the wallet.';
    onChange();
  });
}
