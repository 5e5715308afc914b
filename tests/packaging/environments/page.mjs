import { builtSigns } from '../built.mjs';
import { folder } from '../folder.mjs';
import { STRICTEST, under, WITH_WORKERS } from '../policies.mjs';

/** An app as it lies there, served by the server itself. */
const environment = (name, app, entry, policy) => ({
  name,
  async test({ browser }) {
    const webRoot = await folder(name.replace(/\W+/g, '-').replace(/^-/, ''), app, { entry: `./node_modules/countersign/dist/${entry}` });
    return builtSigns(browser, webRoot, { prepare: under(policy) });
  },
});

export default [
  environment('<script type=module>', 'page', 'browser.js', STRICTEST),
  environment('<script type=module>, worker', 'trusted-worker', 'browser.js', WITH_WORKERS),
  environment('<script type=module>, inline', 'page', 'inline.js', STRICTEST),
];
