import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { folder, link, run, tool } from '../folder.mjs';
import { pageSigns } from '../signing.mjs';

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };

/** The address that a starting `next start` tells. */
async function addressOf(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const url = line.match(/Local:\s+(http:\/\/\S+)/)?.[1];
    if (url) return url;
  }
  throw new Error('next does not start');
}

/** A production build: its page is rendered when it is built, and signs in the browser. */
const environment = (name, ...flags) => ({
  name,
  async test({ browser, server, wallets }) {
    const path = await folder(name.replace(/\W+/g, '-'), 'next');
    await link(path, ['next', 'react', 'react-dom']);
    await run(tool('next'), ['build', ...flags], { cwd: path, env });
    const child = spawn(tool('next'), ['start', '--port', '0', '--hostname', '127.0.0.1'], {
      cwd: path,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    try {
      const url = await addressOf(child);
      const html = await (await fetch(url)).text();
      for (const rendered of ['on the server: false', 'before that: function']) {
        if (!html.includes(rendered)) throw new Error(`not "${rendered}" in the page as it was built:\n${html}`);
      }
      return await pageSigns(server, browser, `${url}/?server=${encodeURIComponent(wallets)}`);
    } finally {
      child.kill();
      await exit;
    }
  },
});

export default [environment('Next.js build'), environment('Next.js build, webpack', '--webpack')];
