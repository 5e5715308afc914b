import { CountersignError } from '../common/errors.js';

/** What is dialled, and what the proof names. */
export interface Address {
  readonly url: string;
  /** The same without query: a server checks it against its own list. */
  readonly audience: string;
}

const SCHEMES: Record<string, string> = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' };

/** Reads a server's address as the URL standard does, relative to the page. */
export function address(given: string | URL | undefined): Address {
  const page = globalThis.location?.origin;
  const base = page === undefined || page === 'null' ? undefined : globalThis.location.href;
  if (given === undefined && base === undefined) {
    throw new CountersignError(
      'invalid_url',
      "No page here to take the server's address from: new Wallet({ url: 'wss://example.com/ws', … })",
    );
  }
  const url = parse(String(given ?? '/ws'), base);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw new CountersignError('invalid_url', `A server's address starts with wss:, ws:, https: or http:, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new CountersignError('invalid_url', "A server's address has no user name or password in it.");
  }
  url.protocol = scheme;
  if (scheme === 'ws:' && !isThisMachine(url.hostname)) {
    throw new CountersignError('invalid_url', `${url.href} is not encrypted, and only this machine may be dialled so: use wss://`);
  }
  url.hash = '';
  const audience = new URL(url);
  audience.search = '';
  return { url: url.href, audience: audience.href };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function parse(text: string, base: string | undefined): URL {
  try {
    return new URL(text, base);
  } catch (cause) {
    throw new CountersignError('invalid_url', `${JSON.stringify(text)} is not an address: write it like wss://example.com/ws`, { cause });
  }
}
