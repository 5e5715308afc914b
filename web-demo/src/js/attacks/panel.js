import { announce } from '../announce.js';
import { byId, element, fromTemplate, icon } from '../dom.js';
import { sentence } from '../format.js';
import { disconnect } from './disconnect.js';
import { attackHarness } from './harness.js';
import { replay } from './replay.js';
import { restart } from './restart.js';
import { secondTab } from './second-tab.js';
import { tamper } from './tamper.js';
import { askedOnce, noneWrong, tookPlace, verdict } from './verdict.js';
import { withdraw } from './withdraw.js';
import { wrongKey } from './wrong-key.js';

const ATTACKS = [tamper, replay, wrongKey, disconnect, withdraw, secondTab, restart];
/** @type {Record<'idle' | 'running' | 'held' | 'broken' | 'void', { words: string, icon: IconName }>} */
const STATES = {
  idle: { words: 'Not tried', icon: 'play' },
  running: { words: 'Running', icon: 'clock' },
  held: { words: 'Held', icon: 'check' },
  broken: { words: 'Broken', icon: 'alert' },
  void: { words: 'Not carried out', icon: 'back' },
};
const MOST_STEPS = 200;

/**
 * Attacks on the server that the page came from, each against wallets of its own, with what was seen of it.
 *
 * @param {object} options
 * @param {() => string} options.token gives the bearer token, or empty
 * @param {(event: FrameSeen, whose: string) => void} options.onFrame called with each frame of these wallets, and what they are called in the log
 */
export function attackPanel({ token, onFrame }) {
  const rows = new Map(ATTACKS.map((attack) => [attack, row(attack, run)]));
  let running = false;
  byId('attacks').append(...[...rows.values()].map(({ root }) => root));

  /** @param {Attack} attack */
  async function run(attack) {
    const chosen = rows.get(attack);
    if (running || !chosen) return;
    running = true;
    for (const other of rows.values()) other.current(other === chosen);
    chosen.show('running');
    begin(attack);
    const harness = attackHarness({ token: token(), onStep: showStep, onFrame });
    let findings;
    try {
      findings = await attack.run(harness);
    } catch (error) {
      // What was seen until then still counts.
      findings = [
        tookPlace(false, sentence(String(error instanceof Error ? error.message : error))),
        noneWrong(harness.answers),
        askedOnce(harness.prompts),
      ];
    } finally {
      harness.close();
      running = false;
    }
    const result = verdict(findings);
    chosen.show(result.state);
    finish(attack, result, findings);
  }
}

/**
 * @param {Attack} attack
 * @param {(attack: Attack) => void} run
 */
function row(attack, run) {
  const { root, parts } = fromTemplate('attack-row');
  const button = /** @type {HTMLButtonElement} */ (root.querySelector('button'));
  /** @param {keyof typeof STATES} state */
  const show = (state) => {
    root.dataset.state = state;
    parts.state.textContent = STATES[state].words;
    parts.icon.setAttribute('href', `#icon-${STATES[state].icon}`);
  };
  root.dataset.attack = attack.id;
  parts.title.textContent = attack.title;
  parts.summary.textContent = attack.summary;
  button.addEventListener('click', () => run(attack));
  show('idle');
  return {
    root,
    show,
    /** @param {boolean} isCurrent */
    current: (isCurrent) => (isCurrent ? button.setAttribute('aria-current', 'true') : button.removeAttribute('aria-current')),
  };
}

/** @param {Attack} attack */
function begin({ title, summary }) {
  const report = byId('report');
  report.dataset.state = 'running';
  byId('report-title').textContent = title;
  byId('report-summary').textContent = summary;
  byId('report-empty').hidden = true;
  byId('report-body').hidden = false;
  byId('report-steps').replaceChildren();
  byId('report-verdict').hidden = true;
  // On a telephone it stands below the buttons.
  if (report.getBoundingClientRect().top > innerHeight * 0.7) report.scrollIntoView();
}

/** @param {Step} step */
function showStep({ who, text, tone }) {
  const steps = byId('report-steps');
  if (steps.childElementCount >= MOST_STEPS) return;
  const item = element('li', 'step');
  item.dataset.who = who;
  item.dataset.tone = tone;
  item.append(element('span', 'step-who', who), element('span', 'step-text', text));
  steps.append(item);
}

/**
 * @param {Attack} attack
 * @param {ReturnType<typeof verdict>} result
 * @param {Finding[]} findings
 */
function finish({ title, why }, { state, title: verdictTitle }, findings) {
  byId('report').dataset.state = state;
  byId('report-verdict').hidden = false;
  byId('report-verdict-icon').setAttribute('href', `#icon-${STATES[state].icon}`);
  byId('report-verdict-title').textContent = verdictTitle;
  byId('report-findings').replaceChildren(
    ...findings.map(({ ok, text }) => {
      const item = element('li', 'finding');
      item.dataset.ok = String(ok);
      item.append(icon(ok ? 'check' : 'cross'), element('span', '', text));
      return item;
    }),
  );
  byId('report-why').textContent = state === 'held' ? why : '';
  announce(`${title}: ${verdictTitle}`);
}
