// Draws the panels of the Grafana dashboard without Grafana: each expression is asked of a real Prometheus, and what it answers is drawn as
// plain lines. It shows that the panels have data and what they are about; Grafana itself draws them in its own way.
//
// node tests/observing/dashboard.mjs http://127.0.0.1:9090 15 dashboard.html
import { readFileSync, writeFileSync } from 'node:fs';

const [prometheus, minutes, target] = process.argv.slice(2);
const file = new URL('../../packaging/grafana/countersign.json', import.meta.url);
const dashboard = JSON.parse(readFileSync(file, 'utf8'));
const [end, step] = [Math.floor(Date.now() / 1000), Math.max(1, Math.round((Number(minutes) * 60) / 300))];
const start = end - Number(minutes) * 60;
const COLOURS = ['#2a6fdb', '#d9822b', '#2b9348', '#b5179e', '#6c757d', '#e63946', '#118ab2', '#8d6e63', '#7209b7', '#0b7a75'];

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** @param {number} value @param {string} unit */
function shown(value, unit) {
  if (unit === 'percentunit') return `${(100 * value).toPrecision(2)} %`;
  if (unit === 's') return value < 1 ? `${(1000 * value).toPrecision(3)} ms` : `${value.toPrecision(4)} s`;
  if (unit === 'bytes' || unit === 'Bps') return value < 1e6 ? `${(value / 1e3).toPrecision(3)} kB` : `${(value / 1e6).toPrecision(3)} MB`;
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** @param {{ expr: string, legendFormat: string }} target */
async function series({ expr, legendFormat }) {
  const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'countersign').replaceAll('$instance', '.*');
  const parameters = new URLSearchParams({ query, start: String(start), end: String(end), step: String(step) });
  const answer = await (await fetch(`${prometheus}/api/v1/query_range?${parameters}`)).json();
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`);
  /** @type {{ metric: Record<string, string>, values: [number, string][] }[]} */
  const result = answer.data.result;
  return result.map(({ metric, values }) => ({
    name: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ''),
    points: values.map(([at, value]) => /** @type {[number, number]} */ ([at, Number(value)])).filter(([, value]) => !Number.isNaN(value)),
  }));
}

/** @param {Awaited<ReturnType<typeof series>>} lines @param {string} unit */
function chart(lines, unit) {
  const top = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value))) || 1;
  const x = (/** @type {number} */ at) => (400 * (at - start)) / (end - start);
  const y = (/** @type {number} */ value) => 100 - (96 * value) / top;
  const paths = lines.map(({ points }, at) => {
    const drawn = points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return `<polyline points="${drawn}" fill="none" stroke="${COLOURS[at % COLOURS.length]}" stroke-width="1.3" vector-effect="non-scaling-stroke"/>`;
  });
  const legend = lines.map(({ name, points }, at) => {
    const last = points.at(-1);
    return `<span><i style="background:${COLOURS[at % COLOURS.length]}"></i>${escaped(name)} ${last ? shown(last[1], unit) : ''}</span>`;
  });
  return `<small>${shown(top, unit)}</small><svg viewBox="0 0 400 100" preserveAspectRatio="none">${paths.join('')}</svg><p>${legend.join(' ')}</p>`;
}

/** @param {any} panel */
async function drawn(panel) {
  const { h, w, x, y } = panel.gridPos;
  const place = `grid-area:${y + 1}/${x + 1}/span ${h}/span ${w}`;
  if (panel.type === 'row') return `<h2 style="${place}">${escaped(panel.title)}</h2>`;
  const lines = (await Promise.all(panel.targets.map(series))).flat();
  const unit = panel.fieldConfig.defaults.unit;
  const [line] = lines;
  const last = line?.points.at(-1);
  const stat = panel.title === 'Version' ? line?.name : last && shown(last[1], unit);
  const body = lines.length === 0 ? '<p>no data</p>' : panel.type === 'stat' ? `<b>${escaped(stat ?? '')}</b>` : chart(lines, unit);
  return `<section style="${place}"><h3>${escaped(panel.title)}</h3>${body}</section>`;
}

const style = `body{font:11px system-ui,"DejaVu Sans",sans-serif;margin:12px;background:#f4f5f7;color:#222}
main{display:grid;grid-template-columns:repeat(24,1fr);grid-auto-rows:26px;gap:4px}
section{background:#fff;border:1px solid #dde;border-radius:3px;padding:4px 8px;overflow:hidden;display:flex;flex-direction:column}
h1{font-size:16px;margin:0 0 8px}h2{font-size:13px;margin:4px 0}h3{font-size:11px;margin:0 0 2px}b{font-size:26px;font-weight:500;color:#2a6fdb}
svg{flex:1;min-height:40px;border-bottom:1px solid #ccd}small{color:#889}p{margin:3px 0 0;max-height:32px;overflow:hidden}
p span{margin-right:8px;white-space:nowrap}i{display:inline-block;width:8px;height:3px;margin:0 3px 2px 0}em{font-weight:400;color:#667;font-size:12px}`;
const panels = await Promise.all(dashboard.panels.map(drawn));
const head = `<h1>Countersign <em>the dashboard's queries, answered by Prometheus; drawn without Grafana; ${minutes} minutes</em></h1>`;
writeFileSync(
  target ?? 'dashboard.html',
  `<!doctype html><meta charset="utf-8"><style>${style}</style>${head}<main>${panels.join('\n')}</main>`,
);
