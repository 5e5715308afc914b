/**
 * A module of Node.js where this runs in it, though it may look like a browser: unit tests imitate a page there, and leave out much of what every
 * browser has. Not an `import`: bundlers for browsers would look for it.
 */
export function nodeModule<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.(name) as T | undefined;
}
