// The engines of today's browsers, as Debian packages them.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CHROMIUM, CHROMIUM_FLAGS } from '../browser/harness.mjs';
import { until } from '../browser/until.mjs';
import { portOf } from '../packaging/port.mjs';
import { BiDi } from './bidi.mjs';
import { Program } from './program.mjs';
import { WebDriver } from './webdriver.mjs';

const WEBKIT_BROWSER = fileURLToPath(new URL('webkit-browser.py', import.meta.url));

/** A started browser, and the programs that end with it. */
class Running {
  #remote;
  #programs;

  constructor(remote, programs) {
    this.#remote = remote;
    this.#programs = programs;
  }

  get version() {
    return this.#remote.version;
  }

  /**
   * @param {string} url
   * @param {'tab' | 'window'} [type] a tab of the last window, in front of the others, or a window of its own
   */
  open(url, type) {
    return this.#remote.open(url, type);
  }

  /** As a person quits it. */
  async quit() {
    await this.#remote.quit();
    await this.kill();
  }

  /** As the system does when memory runs out. */
  async kill() {
    await Promise.all(this.#programs.map((program) => program.end()));
  }
}

/** Starts programs and speaks to one of them, or ends them all. */
async function running(start) {
  /** @type {Program[]} */
  const programs = [];
  const run = (command, args, env = {}) => {
    const program = Program.start(command, args, env);
    programs.push(program);
    return program;
  };
  try {
    return new Running(await start(run), programs);
  } catch (error) {
    await Promise.all(programs.map((program) => program.end()));
    if (error instanceof Error) error.message += programs.map(({ said }) => `\n  ${said}`).join('');
    throw error;
  }
}

/** Each with its name, and how to start it with a profile, which is a directory. */
export const ENGINES = [
  {
    name: 'Chromium',
    start: (profile) =>
      running(async (run) => {
        const port = await run('chromedriver', ['--port=0']).says(/started successfully on port (\d+)/);
        const args = [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`];
        return WebDriver.start(`http://127.0.0.1:${port}`, { 'goog:chromeOptions': { binary: CHROMIUM, args } });
      }),
  },
  {
    name: 'Firefox',
    start: (profile) =>
      running(async (run) => {
        const firefox = run('firefox-esr', ['--headless', '--profile', profile, '--remote-debugging-port', '0']);
        return BiDi.start(await firefox.says(/listening on (ws:\S+)/));
      }),
  },
  {
    name: 'WebKitGTK',
    start: (profile) =>
      running(async (run) => {
        const display = await run('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp']).says(/^(\d+)\n/m);
        const port = await freePort();
        const driver = `http://127.0.0.1:${port}`;
        run('WebKitWebDriver', [`--port=${port}`], { DISPLAY: `:${display}` });
        await until('the driver listens', async () => (await fetch(`${driver}/status`)).ok);
        return WebDriver.start(driver, { 'webkitgtk:browserOptions': { binary: WEBKIT_BROWSER, args: [profile] } });
      }),
  },
];

/** A port that was free a moment ago: this driver does not say which one it took. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}
