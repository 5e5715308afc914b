import { announce } from '../announce.js';
import { byId, element, fromTemplate, icon } from '../dom.js';
import { sentence } from '../format.js';
import { disconnect } from './disconnect.js';
import { replay } from './replay.js';
import { restart } from './restart.js';
import { scene } from './scene.js';
import { secondTab } from './second-tab.js';
import { tamper } from './tamper.js';
import { askedOnce, noneWrong, tookPlace, verdict } from './verdict.js';
import { wrongKey } from './wrong-key.js';

const ATTACKS = [tamper, replay, wrongKey, disconnect, secondTab, restart];
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
 * @param token     gives the bearer token, or empty
 * @param onFrame   called with each frame of these wallets, and what they are called in the log
 */
export function attackPanel({ token, onFrame }) {
  const rows = new Map(ATTACKS.map((attack) => [attack, row(attack, run)]));
  let running = false;
  byId('attacks').append(...[...rows.values()].map(({ root }) => root));

  async function run(attack) {
    if (running) return;
    running = true;
    for (const other of rows.values()) other.current(other === rows.get(attack));
    const chosen = rows.get(attack);
    chosen.show('running');
    begin(attack);
    const stage = scene({ token: token(), onStep: showStep, onFrame });
    let findings;
    try {
      findings = await attack.run(stage);
    } catch (error) {
      // What was seen until then still counts.
      findings = [tookPlace(false, sentence(error.message)), noneWrong(stage.answers), askedOnce(stage.prompts)];
    } finally {
      stage.close();
      running = false;
    }
    const result = verdict(findings);
    chosen.show(result.state);
    finish(attack, result, findings);
  }
}

function row(attack, run) {
  const { root, parts } = fromTemplate('attack-row');
  const button = root.querySelector('button');
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
    current: (isCurrent) => (isCurrent ? button.setAttribute('aria-current', 'true') : button.removeAttribute('aria-current')),
  };
}

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

function showStep({ who, text, tone }) {
  const steps = byId('report-steps');
  if (steps.childElementCount >= MOST_STEPS) return;
  const item = element('li', 'step');
  item.dataset.who = who;
  item.dataset.tone = tone;
  item.append(element('span', 'step-who', who), element('span', 'step-text', text));
  steps.append(item);
}

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
