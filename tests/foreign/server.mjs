// Starts the `countersign` binary for a test, on a port of the system's choice.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.COUNTERSIGN_BIN ?? fileURLToPath(new URL('../../target/debug/countersign', import.meta.url));

/** With no `--listen` of its own, on a port of the system's. Resolves to `{ http, ws, stop(), kill() }`: `stop` asks the server to end, `kill` ends it as a crash does, and both resolve to its exit code or signal. */
export async function startServer(...flags) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: cargo build -p countersign-server, or set COUNTERSIGN_BIN`);
  const listen = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const child = spawn(BINARY, [...listen, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  let log = '';
  child.stderr.on('data', (data) => (log += data));
  const listening = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, base] = line.match(/listening on (http:\S+)/) ?? [];
      if (base) return base;
    }
    throw new Error(`the server ended with ${await ended}:\n${log}`);
  })();
  const http = (await listening).replace(/\/$/, '');
  child.stdout.resume();
  /** @param {NodeJS.Signals} signal */
  const end = (signal) => {
    child.kill(signal);
    return ended;
  };
  return { http, ws: `${http.replace(/^http/, 'ws')}/ws`, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

/** Asks for a signature as a backend does; resolves to `{ status, body }`. */
export async function sendToSign(http, body, signal) {
  const response = await fetch(`${http}/v1/send_to_sign`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  return { status: response.status, body: await response.json() };
}
