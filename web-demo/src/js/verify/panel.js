import { fromBase64, toBase64 } from '../bytes.js';
import { copyButton, copyShown } from '../copy.js';
import { byId } from '../dom.js';
import { checkSignature } from '../verify.js';
import { byteGrid } from './byte-grid.js';
import { checkSnippet, nodeCheck } from './snippet.js';

/**
 * Checks the last signature in this page, and again with any byte that the visitor flips.
 *
 * @param {{ onFlip(): void }} options `onFlip` is called when a byte was flipped
 */
export function verifyPanel({ onFlip }) {
  const grids = {
    message: byteGrid(byId('verify-message'), 'the message', flipped),
    key: byteGrid(byId('verify-key'), 'the public key', flipped),
    signature: byteGrid(byId('verify-signature'), 'the signature', flipped),
  };
  let round = 0;

  const shown = () => ({
    publicKey: toBase64(grids.key.bytes()),
    message: toBase64(grids.message.bytes()),
    signature: toBase64(grids.signature.bytes()),
  });
  const flips = () => Object.values(grids).reduce((sum, grid) => sum + grid.flips(), 0);
  /** @type {Signed | undefined} */
  let given;

  async function check() {
    round += 1;
    const mine = round;
    const { publicKey, signature } = shown();
    const { valid, by } = await checkSignature(publicKey, grids.message.bytes(), signature);
    // A later flip has its own answer.
    if (mine !== round) return;
    const result = byId('verify-result');
    result.dataset.state = valid ? 'good' : 'bad';
    byId('verify-icon').setAttribute('href', valid ? '#icon-check' : '#icon-cross');
    byId('verify-title').textContent = valid ? 'Valid' : 'Does not verify';
    byId('verify-by').textContent = `${changes(flips())} Checked by ${by}.`;
    byId('restore-bytes').hidden = flips() === 0;
    byId('verify-snippet').textContent = checkSnippet(shown());
    byId('verify-node').textContent = nodeCheck(shown());
  }

  function flipped() {
    onFlip();
    return check();
  }

  /** @param {Signed} signed */
  function show(signed) {
    given = signed;
    grids.message.show(bytesOf(signed.message));
    grids.key.show(bytesOf(signed.publicKey));
    grids.signature.show(bytesOf(signed.signature));
    byId('verify-empty').hidden = true;
    byId('verify-body').hidden = false;
    return check();
  }

  byId('restore-bytes').addEventListener('click', async () => {
    if (given) await show(given);
    byId('verify').focus();
  });
  copyButton(byId('copy-snippet'), () => byId('verify-snippet').textContent ?? '', byId('verify-snippet'));
  for (const id of ['verify-node', 'verify-rust']) copyShown(id);

  return { show };
}

/** @param {string} base64 */
const bytesOf = (base64) => fromBase64(base64) ?? new Uint8Array();

/** @param {number} count */
function changes(count) {
  if (count === 0) return 'Key, message and signature belong together.';
  return count === 1 ? 'One bit is not as it was signed.' : `${count} bits are not as they were signed.`;
}
