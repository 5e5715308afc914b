/** What is done once, however often it is called; and tried again after it has failed. */
export function once<Arguments extends unknown[]>(act: (...given: Arguments) => Promise<void>): (...given: Arguments) => Promise<void> {
  let acting: Promise<void> | undefined;
  return (...given) =>
    (acting ??= act(...given).catch((error: unknown) => {
      acting = undefined;
      throw error;
    }));
}
