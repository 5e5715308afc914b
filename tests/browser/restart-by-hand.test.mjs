// A server that may not be restarted from its page, and keeps nothing.

import { world as newWorld } from './harness.mjs';
import { scenario } from './visit.mjs';

const world = newWorld();

scenario(world, 'the page says how to restart the server by hand', async ({ tab }) => {
  await tab.page.getByRole('button', { name: /^Restart the server/ }).click();
  const report = tab.page.getByRole('region', { name: 'Restart the server' });
  await report.getByText('The attack did not take place, so this says nothing.').waitFor();
  await report.getByText('press Ctrl-C in the terminal').waitFor();
});
