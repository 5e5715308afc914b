import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import vue from '@vitejs/plugin-vue';
import { build } from 'vite';
import { builtSigns } from '../built.mjs';
import { folder, link, run } from '../folder.mjs';
import { under, WITH_FRAMEWORKS } from '../policies.mjs';

/** A page of a framework, whose prompt is rendered by it, and in which somebody clicks. */
const environment = (name, modules, plugins) => ({
  name: `${name} page`,
  async test({ browser }) {
    const app = name.toLowerCase();
    const path = await folder(`page-${app}`, app);
    await link(path, modules);
    await build({ logLevel: 'error', configFile: false, root: path, plugins });
    return builtSigns(browser, join(path, 'dist'), {
      prepare: under(WITH_FRAMEWORKS),
      approvedBy: 'human',
      act: (page) => page.getByRole('button', { name: 'Approve' }).click(),
    });
  },
});

export default [
  environment('Vue', ['vue'], [vue()]),
  environment('React', ['react', 'react-dom']),
  environment('Svelte', ['svelte'], [svelte({ configFile: false })]),
  {
    name: "frameworks' reactivity",
    async test() {
      const path = await folder('proxies', 'proxies');
      await link(path, ['vue', 'alpinejs', 'happy-dom', 'mobx', 'solid-js', 'valtio']);
      return (await run(process.execPath, ['main.mjs'], { cwd: path })).stdout.trim();
    },
  },
];
