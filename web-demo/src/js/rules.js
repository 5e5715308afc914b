import { announce } from './announce.js';
import { toHex } from './bytes.js';
import { byId, element, fromTemplate } from './dom.js';
import { sentence, shortTime } from './format.js';
import { describe } from './sdk.js';

const HOUR_MS = 60 * 60 * 1_000;

/**
 * What a sign-in at this very server begins with. Nothing else is suggested: a beginning such as “Transfer ” signs any amount to anybody, while a
 * signature over this one is of use nowhere but here.
 */
const SIGN_IN = `Sign in to ${location.host}, challenge `;

/**
 * What the visitor has allowed in advance: rules to make, to see and to take back.
 *
 * @param {(text: string) => void} onExample called with a message that the suggested rule would sign, for the backend to ask for
 */
export function rules(onExample) {
  const form = byId('rule-form');
  const { requester, prefix, uses } = form.elements;
  /** @type {import('countersign').Policies | undefined} */
  let policies;
  let off = () => {};

  /** @param {readonly import('countersign').Policy[]} list */
  function show(list) {
    byId('rules-list').replaceChildren(
      ...list.map((policy) => row(policy, () => change(policies?.revoke(policy.id), 'The rule is taken back.'))),
    );
    byId('rules-count').textContent = list.length > 0 ? `${list.length} at work` : '';
  }

  /**
   * @param {Promise<unknown> | undefined} changing
   * @param {string} words
   */
  async function change(changing, words) {
    try {
      await changing;
      byId('rule-error').textContent = '';
      announce(words);
    } catch (error) {
      byId('rule-error').textContent = sentence(error instanceof Error ? error.message : String(error));
    }
  }

  /** Says what a rule would sign before anybody agrees to it. */
  function explain() {
    const times = Number(uses.value);
    const isWhole = requester.value.trim() !== '' && prefix.value !== '' && times > 0;
    byId('rule-words').textContent = isWhole
      ? `This wallet then signs ${times === 1 ? 'one message' : `up to ${times} messages`} of “${requester.value.trim()}” without showing them to you: all that begin with “${describe(prefix.value).text}”, whatever follows.`
      : '';
    const isSignIn = prefix.value.startsWith(SIGN_IN);
    byId('rule-scope').textContent = isSignIn
      ? 'That can only be a sign-in here: the address in it is this server’s.'
      : 'Whatever follows may be any amount, any name, any promise. Name what it is for, and where.';
    byId('rule-scope').hidden = !isWhole;
    byId('rule-scope').dataset.safe = String(isSignIn);
  }

  prefix.value = SIGN_IN;
  explain();
  form.addEventListener('input', explain);
  byId('rule-example').addEventListener('click', () => onExample(SIGN_IN + toHex(crypto.getRandomValues(new Uint8Array(8))).join('')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const rule = { requester: requester.value.trim(), prefix: prefix.value, uses: Number(uses.value), expiresInMs: HOUR_MS };
    void change(policies?.grant(rule), 'The rule is at work.');
  });

  return {
    /**
     * Shows the rules of this wallet.
     *
     * @param {import('countersign').Wallet} wallet
     */
    of(wallet) {
      off();
      policies = wallet.policies;
      off = policies.on('change', show);
      policies.list().then(show, () => show([]));
    },
  };
}

/**
 * @param {import('countersign').Policy} policy
 * @param {() => void} onRevoke
 */
function row({ requester, prefix, usesLeft, expiresAt }, onRevoke) {
  const { root, parts } = fromTemplate('rule-row');
  parts.requester.textContent = requester;
  const start = prefix ? describe(prefix).text : '';
  parts.prefix.textContent = start;
  parts.left.textContent = `${usesLeft} left, until ${shortTime(new Date(expiresAt))}`;
  parts.revoke.append(element('span', 'visually-hidden', ` the rule for ${start}`));
  parts.revoke.addEventListener('click', onRevoke);
  return root;
}
