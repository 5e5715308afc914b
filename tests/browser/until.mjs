/** How long anything is waited for: a test that fails may take long, one that passes on a busy machine must not fail. */
export const PATIENCE_MS = 60_000;
const BETWEEN_MS = 20;

/** Waits until `condition` gives something true, and gives that. What it throws counts as not yet. */
export async function until(what, condition) {
  const deadline = Date.now() + PATIENCE_MS;
  let last;
  while (Date.now() < deadline) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
  }
  throw new Error(`not within ${PATIENCE_MS} ms: ${what}`, { cause: last });
}
