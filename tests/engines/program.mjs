// Programs that end when the tests do: because they are done, have failed, were interrupted, or were killed themselves.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PATIENCE_MS } from '../browser/until.mjs';

// The shell and all that it starts are one process group. Its standard input closes when this process lets go of it or is gone,
// whatever the reason, and then the whole group is killed. The output is the program's alone, and so ends with it.
const WATCHED = 'exec 3<&0; "$@" </dev/null 2>&1 3<&- & exec >/dev/null; read -r _ <&3; kill -KILL 0';

export class Program {
  #shell;
  #said = '';

  constructor(shell) {
    this.#shell = shell;
    shell.stdout.on('data', (chunk) => {
      this.#said += chunk;
    });
  }

  /** @param {NodeJS.ProcessEnv} env in addition to this process's */
  static start(command, args, env = {}) {
    const options = { detached: true, env: { ...process.env, ...env } };
    return new Program(spawn('sh', ['-c', WATCHED, 'sh', command, ...args], { ...options, stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** Waits until it has said something that matches, and gives what is in the pattern's first group. */
  says(pattern) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.#said.match(pattern)?.[1];
        if (found !== undefined) resolve(found);
      };
      setTimeout(() => reject(new Error(`it did not say ${pattern}`)), PATIENCE_MS).unref();
      this.#shell.stdout.on('data', look);
      this.#shell.stdout.on('end', () => reject(new Error(`it ended without saying ${pattern}`)));
      look();
    });
  }

  /** All that it has written so far. */
  get said() {
    return this.#said;
  }

  /** Kills the program and what it has started, and waits until they are told. */
  async end() {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    const gone = once(this.#shell, 'exit');
    this.#shell.stdin.end();
    await gone;
  }
}
