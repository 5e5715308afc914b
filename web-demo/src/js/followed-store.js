const ITEM = 'countersign-demo-followed';

/**
 * Keeps the ids of the requests that this tab follows, so that a reload goes on following them.
 *
 * @param {string[]} ids
 */
export function remember(ids) {
  try {
    sessionStorage.setItem(ITEM, ids.join(' '));
  } catch {
    // Storage may be blocked; the server has the requests nonetheless.
  }
}

/** The ids that were kept. */
export function recall() {
  try {
    return (sessionStorage.getItem(ITEM) ?? '').split(' ').filter((id) => /^[0-9a-f-]{36}$/.test(id));
  } catch {
    return [];
  }
}
