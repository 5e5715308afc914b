// Starts the real server with what a manifest gives it, but for where things are on this machine.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { binary } from './files.mjs';

/**
 * Resolves once it listens, on a port of the system's choice.
 *
 * @param {{ command: string[], environment: Record<string, string> }} given
 */
export async function startServer({ command, environment }) {
  const env = { ...environment, COUNTERSIGN_LISTEN: '127.0.0.1:0' };
  const child = spawn(binary, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  let log = '';
  child.stderr.on('data', (data) => (log += data));
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = line.match(/listening on http:\/\/(\S+)/) ?? [];
    if (!address) continue;
    child.stdout.resume();
    /** @param {NodeJS.Signals} signal */
    const end = (signal) => {
      child.kill(signal);
      return ended;
    };
    return { address, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
  }
  throw new Error(`the server ended with ${await ended}:\n${log}`);
}
