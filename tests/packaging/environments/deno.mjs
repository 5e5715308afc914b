import { folder, tool } from '../folder.mjs';
import { programSigns } from '../signing.mjs';

export default [
  {
    name: 'Deno',
    async test({ wallets, server }) {
      const path = await folder('deno', 'program', { npm: ['--omit=optional'] });
      // Without --allow-read: only the network is needed.
      const command = [tool('deno'), 'run', '--no-prompt', '--allow-net=127.0.0.1', 'main.mjs', wallets];
      return programSigns(server, command, path, /^Deno 2 on linux$/);
    },
  },
];
