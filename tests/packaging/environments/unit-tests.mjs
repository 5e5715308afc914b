import { fileURLToPath } from 'node:url';
import { folder, link, run, tool } from '../folder.mjs';

const jest = fileURLToPath(new URL('../node_modules/jest/bin/jest.js', import.meta.url));

/** The tests that a developer writes, in a page that is imitated. */
const environment = (name, modules, command) => ({
  name,
  async test({ server, wallets }) {
    const path = await folder(name.replace(/\W+/g, '-'), 'unit');
    await link(path, modules);
    const env = { ...process.env, CI: '1', NO_COLOR: '1', WALLETS: wallets, BACKEND: server.url, ...command.env };
    const { stdout, stderr } = await run(command.program, command.args, { cwd: path, env });
    const passed = /Tests:? +(\d+) passed(?:, \1 total| \(\1\))/.exec(stdout + stderr)?.[1];
    if (passed !== '6') throw new Error(`not all have passed:\n${stdout}${stderr}`);
    return `${passed} tests`;
  },
});

const vitest = (dom) => ({ program: tool('vitest'), args: ['run', '--globals', '--environment', dom] });
const FLAG = { NODE_OPTIONS: '--experimental-vm-modules' };

export default [
  environment('vitest, jsdom', ['vitest', 'jsdom'], vitest('jsdom')),
  environment('vitest, happy-dom', ['vitest', 'happy-dom'], vitest('happy-dom')),
  environment('jest, jsdom', ['jest-environment-jsdom'], {
    program: process.execPath,
    args: [jest, '--env', 'jsdom'],
    env: FLAG,
  }),
  environment('jest, happy-dom', ['@happy-dom/jest-environment'], {
    program: process.execPath,
    args: [jest, '--env', '@happy-dom/jest-environment'],
    env: FLAG,
  }),
];
