import { byId, partsOf } from './dom.js';
import { sentence } from './format.js';

const TEXT = {
  idle: 'Starting',
  standby: 'Standing by',
  connecting: 'Connecting…',
  introducing: 'Proving the key…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
  closed: 'Closed',
};

/**
 * Shows the wallet's connection state, and why it was closed if the server refused it.
 *
 * @param {import('countersign').StateEvent} event
 */
export function showConnection({ state, error }) {
  const badge = byId('connection');
  badge.dataset.state = state;
  partsOf(badge).text.textContent = TEXT[state] ?? state;
  showProblem(state === 'closed' ? error : undefined);
}

/**
 * Shows an error of the wallet with what to do about it, or takes it away.
 *
 * @param {{ message: string, code?: string }} [error]
 */
export function showProblem(error) {
  const problem = byId('wallet-problem');
  problem.hidden = !error;
  problem.textContent = error ? `${sentence(error.message)} ${CURE[error.code ?? ''] ?? 'Reload the page to try again.'}` : '';
}

/** @type {Record<string, string>} */
const CURE = {
  proof_invalid: 'The server may not expect this address: start it with --audience and the /ws URL of this page.',
  key_refused: 'Use “New key”.',
};
