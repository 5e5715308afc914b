// The examples of the README and of the types, as files of their own.

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sdk = fileURLToPath(new URL('../../sdk-wasm/', import.meta.url));

/** The fenced blocks of a text in these languages. */
const blocks = (text) => [...text.matchAll(/^```([jt]sx?)\n(.*?)^```/gms)].map(([, language, code]) => ({ language, code }));

/** The comments of a script without their stars. */
const comments = (script) => [...script.matchAll(/\/\*\*.*?\*\//gs)].map(([comment]) => comment.replace(/^\s*\* ?/gm, '')).join('\n');

/** Writes all examples into a folder; answers how many there are. Those that import nothing are given what they use of the package. */
export async function writeExamples(folder, exported) {
  const scripts = (await readdir(join(sdk, 'js'))).filter((name) => name.endsWith('.ts'));
  const sources = [
    ['README.md', await readFile(join(sdk, 'README.md'), 'utf8')],
    ...(await Promise.all(scripts.map(async (name) => [name, comments(await readFile(join(sdk, 'js', name), 'utf8'))]))),
  ];
  const examples = sources.flatMap(([name, text]) => blocks(text).map((block, index) => ({ ...block, name: `${name}-${index}` })));
  for (const { name, language, code } of examples) {
    const used = exported.filter((one) => new RegExp(`\\b${one}\\b`).test(code));
    const given = /^import /m.test(code) ? '' : `import { ${used.join(', ')} } from 'countersign';\n`;
    await writeFile(join(folder, `${name}.${language}`), `${given}${code}`);
  }
  return examples.length;
}
