import { offerRequest, showAnswer, showEnds, showRetrying, showWaiting } from './answer-view.js';
import { ENDPOINT, RESPOND_ASYNC, sendDurably, sendToSign } from './api.js';
import { markFields, readForm } from './ask-form.js';
import { callProgress } from './call-progress.js';
import { copyShown } from './copy.js';
import { curlCommand } from './curl.js';
import { byId, partsOf } from './dom.js';
import { durableOption } from './durable-option.js';
import { followedRequests } from './followed-requests.js';
import { nodeCall } from './node-call.js';
import { progressView } from './progress-view.js';
import { signerFromAddress } from './second-device.js';

/**
 * The right half of the page: a backend that asks for signatures.
 *
 * @param {object} options
 * @param {() => void} options.onAsk called when the visitor asks
 * @param {(node: string) => void} options.onNode called with the one of several servers that has answered a call
 * @param {(id: string) => void} options.onAnswer called with the request id of each answer that names one
 * @param {(end: { signed: Signed[], isKnown: boolean }) => void} options.onEnd called at the end of what was asked with the signatures that verify,
 *   and whether it is known how it ended
 */
export function backendPanel({ onAsk, onNode, onAnswer, onEnd }) {
  const form = byId('ask');
  const { signer, token, several } = form.elements;
  const progress = progressView();
  const written = followedRequests(progress, () => token.value);
  const submit = byId('submit');
  const cancel = byId('cancel');
  let walletKey = '';
  /** @type {AbortController | null} */
  let waiting = null;
  let requestsOpen = 0;
  /** @type {ReturnType<typeof callProgress> | null} */
  let watching = null;

  function refresh() {
    const read = readForm();
    const refused = 'error' in read ? read : undefined;
    markFields(refused);
    byId('second-field').hidden = !several.checked;
    if ('body' in read) {
      const prefer = read.durable ? RESPOND_ASYNC : undefined;
      const options = { withToken: token.value !== '', prefer };
      byId('curl').textContent = curlCommand(ENDPOINT, read.body, options);
      byId('node-call').textContent = nodeCall(ENDPOINT, read.body, options);
    }
    byId('follow-wallet').hidden = !walletKey || signer.value.trim() === walletKey;
  }

  function followWallet() {
    signer.value = walletKey;
    refresh();
  }

  /** @param {boolean} busy */
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
    if ('error' in asked) return byId(asked.field).focus();
    waiting = new AbortController();
    showBusy(true);
    onAsk();
    showWaiting();
    offerRequest(requestsOpen > 0);
    watching = asked.durable ? null : callProgress(asked.body, Date.now());
    progress.start(watching?.requests ?? []);
    const options = { token: token.value, signal: waiting.signal, onNode };
    const outcome = await (asked.durable ? sendDurably(asked.body, { ...options, onLost: showRetrying }) : sendToSign(asked.body, options));
    onEnd({ signed: await showOutcome(outcome, asked), isKnown: outcome.kind !== 'unreachable' });
    waiting = watching = null;
    showBusy(false);
    if ('status' in outcome && outcome.status === 401) askForToken();
    if ('body' in outcome) tellOf([outcome.body]);
  }

  /**
   * Shows what came of it; the signatures that verify.
   *
   * @param {Outcome} outcome
   * @param {Asked} asked
   */
  async function showOutcome(outcome, asked) {
    if (outcome.kind === 'accepted') return follow(outcome.requests);
    if (outcome.kind === 'ended') {
      tellOf(outcome.requests);
      progress.start(outcome.requests);
      return showEnds(outcome.requests, progress, { durable: false });
    }
    const wasDelivered = watching?.requests.some(({ times }) => times.delivered_ms !== undefined) ?? false;
    if (watching) progress.show(watching.end(outcome, Date.now()));
    return showAnswer(outcome, asked, wasDelivered);
  }

  /** @param {ApiRequest[]} requests */
  async function follow(requests) {
    const { ended, signed } = await written.follow(requests);
    tellOf(ended);
    return signed;
  }

  /** @param {{ request_id?: string }[]} answers */
  const tellOf = (answers) => answers.forEach(({ request_id }) => request_id && onAnswer(request_id));

  /** Goes on with what was followed before the page was loaded anew. */
  async function resume() {
    const left = written.left();
    if (left.length === 0) return;
    waiting = new AbortController();
    showBusy(true);
    onEnd({ signed: await follow(left), isKnown: true });
    waiting = null;
    showBusy(false);
  }

  function stop() {
    if (written.isFollowing()) written.cancel();
    else waiting?.abort();
  }

  form.addEventListener('input', refresh);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!waiting) void ask();
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') stop();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  cancel.addEventListener('click', stop);
  byId('follow-wallet').addEventListener('click', () => {
    followWallet();
    signer.focus();
  });
  for (const id of ['curl', 'node-call', 'rust-call']) copyShown(id);
  durableOption(refresh);
  signer.value = signerFromAddress();
  refresh();
  void resume();

  return {
    /**
     * Takes over the wallet's new key, unless somebody has written another one.
     *
     * @param {string} publicKey
     */
    useWalletKey(publicKey) {
      const following = signer.value.trim() === walletKey;
      walletKey = publicKey;
      if (following) followWallet();
      else refresh();
    },
    /**
     * Writes a message into the form, for the visitor to ask for.
     *
     * @param {string} text
     */
    suggest(text) {
      form.elements.encoding.value = 'text';
      form.elements.message.value = text;
      form.elements.purpose.value = 'Sign in';
      form.elements.several.checked = false;
      refresh();
      submit.focus();
    },
    token: () => token.value,
    /**
     * Learns of a frame of the wallet beside it.
     *
     * @param {{ text: string }} frame
     */
    hear(frame) {
      if (watching?.frame(frame, Date.now())) progress.show(watching.requests);
    },
    /**
     * Learns how many requests wait in the wallet beside it.
     *
     * @param {number} n
     */
    requestsWait(n) {
      requestsOpen = n;
      offerRequest(n > 0);
    },
  };
}
