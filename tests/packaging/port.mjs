/**
 * The port that the system chose.
 *
 * @param {{ address(): import('node:net').AddressInfo | string | null }} server
 */
export function portOf(server) {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on no port');
  return address.port;
}
