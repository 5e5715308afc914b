import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, link, run, tool } from '../folder.mjs';

/** The compilers, the oldest with `using` and the newest. */
const COMPILERS = {
  5.2: [process.execPath, fileURLToPath(new URL('../node_modules/typescript52/lib/tsc.js', import.meta.url))],
  latest: [tool('tsc')],
};

/** How modules are found, and what there is of the platform's types: of a page, of a worker, and of Node.js. */
const SETTINGS = [
  { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], types: [] },
  { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2022', 'webworker'], types: [] },
  { module: 'node16', moduleResolution: 'node16', lib: ['es2022'], types: ['node'] },
];

const ENTRIES = ['countersign', 'countersign/encrypted', 'countersign/import', 'countersign/testing', 'countersign/wallet-standard'];

const USE = `${ENTRIES.map((entry, at) => `import * as entry${at} from '${entry}';`).join('\n')}
import { Key, verify, Wallet, type ErrorCode } from 'countersign';
export const entries = [${ENTRIES.map((_, at) => `entry${at}`).join(', ')}];
export async function use(wallet: Wallet, key: Key, message: Uint8Array) {
  const holds: boolean = await verify(key.publicKey, message, key.sign(message));
  wallet.on('state', (event) => event.state === 'reconnecting' && event.retryInMs.toFixed() + event.error.message);
  wallet.on('ended', ({ state, error }) => (state === 'accepted' || state === 'declined' ? state : error.message));
  const code: ErrorCode = 'proof_invalid';
  // @ts-expect-error: no such code
  const typo: ErrorCode = 'proof_invald';
  return { holds, code, typo };
}
`;

export default Object.entries(COMPILERS).map(([version, [program, ...args]]) => ({
  name: `TypeScript ${version}`,
  async test() {
    const path = await folder(`types-${version}`, 'examples');
    await link(path, ['@types/node', 'undici-types']);
    await writeFile(join(path, 'use.ts'), USE);
    // Those of Node.js are later than 5.2, and do not compile there by themselves.
    const settings = SETTINGS.filter(({ types }) => version !== '5.2' || types.length === 0);
    for (const setting of settings) {
      const compilerOptions = { target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, ...setting };
      await writeFile(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
      await run(program, [...args, '-p', path]).catch((error) => {
        error.message += ` with ${JSON.stringify(setting)}`;
        throw error;
      });
    }
    return `${settings.length} settings, without skipLibCheck`;
  },
}));
