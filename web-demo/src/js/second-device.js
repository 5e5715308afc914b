import { copyShown } from './copy.js';
import { deviceWarning } from './device-warning.js';
import { byId } from './dom.js';

/**
 * The way to this page from another device, by a code to photograph. That device has a key of its own and is another wallet: a key that travels can be
 * copied on its way, and most of those here no script can export at all. What travels is the address, with this wallet's public key, so that the
 * other device can ask it.
 */
export function secondDevice() {
  const root = byId('second-device');
  let publicKey = '';

  async function show() {
    if (!root.open) return;
    const warning = deviceWarning(location);
    byId('device-warning').textContent = warning ?? '';
    byId('device-setup').hidden = warning === undefined;
    byId('device-code').hidden = warning !== undefined || publicKey === '';
    if (warning !== undefined || publicKey === '') return;
    const address = addressFor(publicKey);
    byId('device-address').textContent = address;
    // Few visitors want it: it is loaded when the first does.
    const loaded = await import('./qr-code.js').catch(() => null);
    if (loaded) loaded.drawCode(byId('device-qr'), address);
    else byId('device-warning').textContent = 'The code could not be loaded: type the address, or reload the page.';
  }

  root.addEventListener('toggle', show);
  copyShown('device-commands');
  return {
    /** @param {string} key */
    useKey(key) {
      publicKey = key;
      return show();
    },
  };
}

/** The public key that the address of this page names, of a wallet to ask; empty where it names none. */
export const signerFromAddress = () => new URLSearchParams(location.hash.slice(1)).get('signer') ?? '';

/** @param {string} publicKey */
const addressFor = (publicKey) => `${location.origin}/#${new URLSearchParams({ signer: publicKey })}`;
