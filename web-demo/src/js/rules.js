import { announce } from './announce.js';
import { byId, element, fromTemplate } from './dom.js';
import { sentence, shortTime } from './format.js';
import { describe } from './sdk.js';

const HOUR_MS = 60 * 60 * 1_000;

/** What the visitor has allowed in advance: rules to make, to see and to take back. */
export function rules() {
  const form = byId('rule-form');
  const { requester, prefix, uses } = form.elements;
  /** @type {Set<EventTarget>} */
  const touched = new Set();
  /** @type {import('../../types/countersign/browser.js').Policies | undefined} */
  let policies;
  let off = () => {};

  /** @param {readonly import('../../types/countersign/browser.js').Policy[]} list */
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

  form.addEventListener('input', ({ target }) => target && touched.add(target));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const rule = { requester: requester.value.trim(), prefix: prefix.value, uses: Number(uses.value), expiresInMs: HOUR_MS };
    void change(policies?.grant(rule), 'The rule is at work.');
  });

  return {
    /**
     * Shows the rules of this wallet.
     *
     * @param {import('../../types/countersign/browser.js').Wallet} wallet
     */
    of(wallet) {
      off();
      policies = wallet.policies;
      off = policies.on('change', show);
      policies.list().then(show, () => show([]));
    },
    /**
     * Fills in what a rule for requests like this one would say, unless somebody has written something else.
     *
     * @param {import('../../types/countersign/browser.js').SignRequest} request
     */
    suggest(request) {
      if (!touched.has(requester)) requester.value = request.requester.name;
      const [start] = describe(request.message).text.match(/^\S+ /) ?? [];
      if (!touched.has(prefix) && start) prefix.value = start;
    },
  };
}

/**
 * @param {import('../../types/countersign/browser.js').Policy} policy
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
