// The figures as a table of Markdown.

import { cpus, loadavg } from 'node:os';
import { version } from './bundles.mjs';
import { LIBRARIES, WALLET_CONNECT } from './libraries/index.mjs';

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
const whole = (number) => Math.round(number).toLocaleString('en');

/** `rounds` holds for each round an object of `${id} sign` and `${id} verify` to calls a second. */
export function report({ rounds, sizes, walletConnect, browser, loadBefore }) {
  const cells = (id, what) => {
    const rates = rounds.map((round) => round[`${id} ${what}`]);
    const ratio = median(rounds.map((round) => round[`countersign ${what}`] / round[`${id} ${what}`]));
    return [whole(median(rates)), ratio.toFixed(ratio < 10 ? 2 : 0)];
  };
  const rows = LIBRARIES.map(({ id, name, packages = [] }) => {
    const versions = packages.map((one) => version(one)).join(', ');
    const size = id === 'webcrypto' ? 'in the browser' : `${whole(sizes[id])} B`;
    return [`${name} ${versions}`.trim(), ...cells(id, 'sign'), ...cells(id, 'verify'), size];
  });
  rows.push([`${WALLET_CONNECT} ${version(WALLET_CONNECT)}`, '', '', '', '', `${whole(walletConnect)} B`]);
  const head = ['', 'signs a second', 'countersign is … times as fast', 'verifies a second', 'countersign is … times as fast', 'bundle, gzip -9'];
  const line = (row) => `| ${row.join(' | ')} |`;
  const table = [line(head), line(['---', '--:', '--:', '--:', '--:', '--:']), ...rows.map(line)].join('\n');
  const machine = `${cpus()[0].model.trim()}, ${cpus().length} cores, load average ${loadBefore.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after`;
  return `Chromium ${browser}, ${machine}, ${rounds.length} rounds, ${new Date().toISOString().slice(0, 10)}.\n\n${table}\n`;
}
