import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtSigns } from '../built.mjs';
import { folder, run, tool } from '../folder.mjs';
import { under, WITH_INLINE_SCRIPTS } from '../policies.mjs';

export default [
  {
    name: 'Parcel',
    async test({ browser }) {
      const path = await folder('parcel', 'page');
      // As its users have to: it looks at `exports` only where it is told to.
      const own = { private: true, '@parcel/resolver-default': { packageExports: true } };
      await writeFile(join(path, 'package.json'), JSON.stringify({ ...own, dependencies: { countersign: '*' } }));
      const args = ['build', 'index.html', '--no-cache', '--no-source-maps', '--no-autoinstall', '--log-level', 'warn'];
      await run(tool('parcel'), args, { cwd: path, env: { ...process.env, PARCEL_WORKERS: '0' } });
      return builtSigns(browser, join(path, 'dist'), { prepare: under(WITH_INLINE_SCRIPTS) });
    },
  },
];
