// Writes the documents' pictures from the real page: the README's, and the whole page at three widths in both themes.

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import UPNG from 'upng-js';
import { launchChromium, Server, withDirectory } from './harness.mjs';
import { openTab } from './visit.mjs';

const DOCS = new URL('../../docs/', import.meta.url);
const WIDTHS = [390, 768, 1440];
const THEMES = ['light', 'dark'];
// Enough for flat colours and the edges of letters.
const COLOURS = 24;
const NEXT = 'Grant read access to ledger 7\nto auditor@example.com\nuntil 2027-01-31';

/** A page with a verified answer, an attack that was tried, and the next request waiting. */
async function pageFull(browser, server, { width, colorScheme }) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' });
  const tab = await openTab(context, server.url);
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');
  await tab.page.getByRole('button', { name: /^Replay/ }).click();
  await tab.page.locator('#report-verdict').waitFor();
  // Where its place is in sight.
  await tab.page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
  const body = { public_key: await tab.publicKey(), message: Buffer.from(NEXT).toString('base64'), purpose: 'Quarterly audit' };
  const pending = server.sendToSign(body);
  await tab.wallet.sees('Quarterly audit');
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  await tab.page.mouse.move(0, 0);
  await tab.page.evaluate(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    scrollTo(0, 0);
  });
  return { context, tab, pending };
}

async function write(path, png) {
  const { width, height } = UPNG.decode(png);
  const small = Buffer.from(UPNG.encode(UPNG.toRGBA8(UPNG.decode(png)), width, height, COLOURS));
  const file = new URL(path, DOCS);
  await writeFile(file, small);
  console.log(`${fileURLToPath(file)}: ${Math.round(small.length / 1024)} KiB`);
}

const directory = withDirectory();
const server = await Server.start({ args: ['--demo', '--data-dir', directory.path] });
const browser = await launchChromium();
try {
  await mkdir(new URL('screenshots/', DOCS), { recursive: true });
  for (const width of WIDTHS) {
    for (const colorScheme of THEMES) {
      const { context, tab, pending } = await pageFull(browser, server, { width, colorScheme });
      if (width === 1440 && colorScheme === 'light')
        await write('demo.png', await tab.page.screenshot({ clip: { x: 0, y: 0, width, height: 1016 }, fullPage: true }));
      await write(`screenshots/${width}-${colorScheme}.png`, await tab.page.screenshot({ fullPage: true }));
      await tab.press('Decline');
      await tab.press('Decline');
      await pending;
      await context.close();
    }
  }
} finally {
  await browser.close();
  await server.stop();
  directory.remove();
}
