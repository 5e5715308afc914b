// Writes the README's picture from the real page: a verified answer on the right, the next request waiting on the left.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium, Server } from './harness.mjs';
import { openTab } from './visit.mjs';

const PICTURE = fileURLToPath(new URL('../../docs/demo.png', import.meta.url));
const NEXT = 'Grant read access to ledger 7\nto auditor@example.com\nuntil 2027-01-31';

const server = await Server.start();
const browser = await launchChromium();
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  const tab = await openTab(context, server.url);
  await tab.ask();
  await tab.approve();
  await tab.backend.sees('Signature verified');

  const body = { public_key: await tab.publicKey(), message: Buffer.from(NEXT).toString('base64'), purpose: 'Quarterly audit' };
  const pending = server.sendToSign(body);
  await tab.wallet.sees('Quarterly audit');
  await tab.page.locator('[data-part=approve]:not([aria-disabled])').waitFor();
  await tab.page.mouse.move(0, 0);
  await tab.page.evaluate(() => {
    document.activeElement.blur();
    return Promise.all(document.getAnimations().map((animation) => animation.finished));
  });
  await mkdir(dirname(PICTURE), { recursive: true });
  await tab.page.screenshot({ path: PICTURE });

  await tab.wallet.button('Decline').click();
  await tab.wallet.button('Decline').click();
  await pending;
  console.log(PICTURE);
} finally {
  await browser.close();
  await server.stop();
}
