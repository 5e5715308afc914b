import { folder, run, tool } from '../folder.mjs';
import { programSigns } from '../signing.mjs';

const LABEL = /^Bun 1 on linux$/;

export default [
  {
    name: 'Bun',
    async test({ wallets, server }) {
      const path = await folder('bun', 'program', { npm: ['--omit=optional'] });
      return programSigns(server, [tool('bun'), 'main.mjs', wallets], path, LABEL);
    },
  },
  {
    name: 'Bun, compiled to one file',
    async test({ wallets, server }) {
      const path = await folder('bun-compiled', 'program', { npm: ['--omit=optional'] });
      await run(tool('bun'), ['build', '--compile', 'main.mjs', '--outfile', 'program'], { cwd: path });
      return programSigns(server, ['./program', wallets], path, LABEL);
    },
  },
];
