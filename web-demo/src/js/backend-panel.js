import { offerRequest, showAnswer, showWaiting } from './answer-view.js';
import { ENDPOINT, sendToSign } from './api.js';
import { markFields, readForm } from './ask-form.js';
import { copyButton } from './copy.js';
import { curlCommand } from './curl.js';
import { byId, partsOf } from './dom.js';

/**
 * The right half of the page: a backend that asks for signatures.
 *
 * @param onAnswer   called with the request id of each answer that names one
 */
export function backendPanel({ onAnswer }) {
  const form = byId('ask');
  const { signer, token } = form.elements;
  const submit = byId('submit');
  const cancel = byId('cancel');
  let walletKey = '';
  let waiting = null;
  let requestsOpen = 0;

  function refresh() {
    const read = readForm();
    markFields(read);
    if (read.body) byId('curl').textContent = curlCommand(ENDPOINT, read.body, token.value !== '');
    byId('follow-wallet').hidden = !walletKey || signer.value.trim() === walletKey;
  }

  function followWallet() {
    signer.value = walletKey;
    refresh();
  }

  function showBusy(busy) {
    form.classList.toggle('waiting', busy);
    submit.setAttribute('aria-disabled', String(busy));
    partsOf(submit).label.textContent = busy ? 'Waiting…' : 'Ask for a signature';
    if (!busy && document.activeElement === cancel) submit.focus();
    cancel.hidden = !busy;
  }

  function askForToken() {
    byId('token-field').hidden = false;
    if (byId('backend').contains(document.activeElement)) token.focus();
  }

  async function ask() {
    const asked = readForm();
    if (asked.error) return byId(asked.field).focus();
    waiting = new AbortController();
    showBusy(true);
    showWaiting();
    offerRequest(requestsOpen > 0);
    const outcome = await sendToSign(asked.body, { token: token.value, signal: waiting.signal });
    waiting = null;
    await showAnswer(outcome, asked);
    showBusy(false);
    if (outcome.status === 401) askForToken();
    if (outcome.body?.request_id) onAnswer(outcome.body.request_id);
  }

  form.addEventListener('input', refresh);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!waiting) ask();
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') waiting?.abort();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  cancel.addEventListener('click', () => waiting?.abort());
  byId('follow-wallet').addEventListener('click', () => {
    followWallet();
    signer.focus();
  });
  copyButton(byId('copy-curl'), () => byId('curl').textContent, byId('curl'));
  refresh();

  return {
    /** Takes over the wallet's new key, unless somebody has written another one. */
    useWalletKey(publicKey) {
      const following = signer.value.trim() === walletKey;
      walletKey = publicKey;
      if (following) followWallet();
      else refresh();
    },
    /** Learns how many requests wait in the wallet beside it. */
    requestsWait(n) {
      requestsOpen = n;
      offerRequest(n > 0);
    },
  };
}
