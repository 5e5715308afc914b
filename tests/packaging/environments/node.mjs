import { fileURLToPath } from 'node:url';
import { folder } from '../folder.mjs';
import { programSigns } from '../signing.mjs';

/** The oldest and the newest of each kind, by the names of package.json. */
const program = (name) => fileURLToPath(new URL(`../node_modules/${name}/bin/node`, import.meta.url));

const environment = (version, file, options) => ({
  name: `Node.js ${version} ${file === 'main.cjs' ? 'require()' : 'import'}`,
  async test({ wallets, server }) {
    const path = await folder(`node${version}-${file}`, 'program', options);
    const label = new RegExp(`^Node\\.js ${version} on ${process.platform}$`);
    return programSigns(server, [program(`node${version}`), file, wallets], path, label);
  },
});

// Those that have a WebSocket do without the package's only dependency.
const WITHOUT_WS = { npm: ['--omit=optional'] };

export default [
  environment(20, 'main.mjs'),
  environment(20, 'main.cjs'),
  environment(22, 'main.mjs', WITHOUT_WS),
  environment(22, 'main.cjs', WITHOUT_WS),
  environment(26, 'main.mjs', WITHOUT_WS),
  environment(26, 'main.cjs', WITHOUT_WS),
];
