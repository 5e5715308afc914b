import { demoServer, nodesWith } from '../api.js';

/** As many as `make cluster` has, each at a path of its own behind the balancer. */
const NUMBERS = [1, 2, 3];

/** @param {number} number */
export const pathOf = (number) => `/node/${number}`;

/** Whether this page came from one of several servers. It says so in the one header that a page can read of its own answer. */
export function isOfSeveral() {
  const [page] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
  return page?.serverTiming?.some(({ name }) => name === 'node') ?? false;
}

/**
 * Which process each server is; null for one that does not answer.
 *
 * @returns {Promise<(DemoServer | null)[]>}
 */
export const allNodes = () => Promise.all(NUMBERS.map((number) => demoServer(pathOf(number))));

/**
 * The path of a server that has a wallet's connection: empty where there is only one, undefined where none has it.
 *
 * @param {string} publicKey
 */
export async function pathToWallet(publicKey) {
  if (!isOfSeveral()) return '';
  const [nodes, holders] = await Promise.all([allNodes(), nodesWith(publicKey)]);
  const index = nodes.findIndex((node) => node?.node && holders?.includes(node.node));
  return index < 0 ? undefined : pathOf(NUMBERS[index]);
}
