import { CountersignError } from '../common/errors.js';
import type { WalletOptions } from './options.js';

/** The nodes of one server. */
export interface Nodes {
  /** The audience of the one that was listed first: whatever is kept or shared with other tabs goes by it, and not by the node. */
  readonly audience: string;
  /** The audiences of all, in the order in which this wallet dials them: each wallet has its own, so that a node's wallets do not all go to the same. */
  readonly order: readonly string[];
  /** What is dialled for an audience: the same with its query. */
  readonly urls: ReadonlyMap<string, string>;
}

const MOST_NODES = 16;

const SCHEMES: Record<string, string> = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' };

const THIS_MACHINE = /^((.+\.)?localhost|\[::1\]|127(\.\d+){3})$/;

type Refuse = (why: string, cause?: unknown) => never;

/** Reads the addresses of a server's nodes. */
export function nodesOf(given: WalletOptions['url']): Nodes {
  const list = [given].flat();
  const urls = new Map<string, string>();
  const order: string[] = [];
  list.forEach((one, at) => {
    const refuse: Refuse = (why, cause) => {
      throw new CountersignError('invalid_url', list.length > 1 ? `url[${at}]: ${why}` : why, { cause });
    };
    const url = address(one, refuse);
    const { href } = url;
    url.search = '';
    if (urls.has(url.href)) refuse('This address is listed twice; its query makes no difference.');
    urls.set(url.href, href);
    order.splice(Math.random() * urls.size, 0, url.href);
  });
  const [audience] = urls.keys();
  if (audience === undefined || list.length > MOST_NODES) {
    throw new CountersignError('invalid_url', `A server has 1 to ${MOST_NODES} addresses, not ${list.length}.`);
  }
  return { audience, order, urls };
}

/** Reads an address as the URL standard does, relative to the page. */
function address(given: string | URL | undefined, refuse: Refuse): URL {
  const { origin, href }: Partial<Location> = globalThis.location ?? {};
  const text = String(given ?? '/ws');
  let url: URL;
  try {
    url = new URL(text, origin === 'null' ? undefined : href);
  } catch (cause) {
    return refuse(
      given === undefined
        ? "No page here to take the server's address from: new Wallet({ url: 'wss://example.com/ws', … })"
        : `${JSON.stringify(text)} is not an address: write it like wss://example.com/ws`,
      cause,
    );
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) return refuse(`A server's address starts with wss:, ws:, https: or http:, not ${url.protocol}`);
  if (url.username + url.password !== '') refuse("A server's address has no user name or password in it.");
  url.protocol = scheme;
  if (scheme === 'ws:' && !THIS_MACHINE.test(url.hostname)) {
    refuse(`${url.href} is not encrypted, and only this machine may be dialled so: use wss://`);
  }
  url.hash = '';
  return url;
}
