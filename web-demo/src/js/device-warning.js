const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Why another device could not use this page; undefined where it can.
 *
 * @param {{ protocol: string, hostname: string }} location
 */
export function deviceWarning({ protocol, hostname }) {
  if (LOOPBACK.test(hostname))
    return `This page was opened as ${hostname}, which means this machine to every device: another one would look for it on itself.`;
  if (protocol !== 'https:')
    return 'Browsers give a page keys, locks between tabs and a connection to another machine only over https. By http no wallet could work there.';
  return undefined;
}
