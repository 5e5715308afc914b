import { showEnds, showFollowing, showProblem } from './answer-view.js';
import { cancelRequest, followRequest, Problem } from './durable.js';
import { recall, remember } from './followed-store.js';

/**
 * The requests that were written down and are followed to their end, over reloads of the page.
 *
 * @param {import('./progress-view.js').ProgressView} progress where their phases are shown
 * @param {() => string} token gives the bearer token, or empty
 */
export function followedRequests(progress, token) {
  /** @type {{ ids: string[], aborter: AbortController } | undefined} */
  let current;

  /**
   * Shows those that `sendToSign` had answered with, and all that comes of them.
   *
   * @param {ApiRequest[]} requests
   * @returns {Promise<{ ended: ApiRequest[], signed: Signed[] }>}
   */
  async function follow(requests) {
    const aborter = new AbortController();
    const latest = new Map(requests.map((request) => [request.request_id ?? '', request]));
    current = { ids: [...latest.keys()], aborter };
    remember(current.ids);
    progress.start(requests);
    showFollowing([...latest.values()]);
    /** @param {ApiRequest} request */
    const onNews = (request) => {
      latest.set(request.request_id ?? '', request);
      progress.show([...latest.values()]);
      showFollowing([...latest.values()]);
    };
    const onLost = () => showFollowing([...latest.values()], { lost: true });
    const options = { token: token(), signal: aborter.signal, onNews, onLost };
    try {
      const ended = await Promise.all(current.ids.map((id) => followRequest(id, options)));
      const signed = await showEnds(ended, progress, { durable: true, token: token() });
      return { ended, signed };
    } catch (error) {
      aborter.abort();
      if (!(error instanceof Problem)) throw error;
      showProblem(error);
      return { ended: [], signed: [] };
    } finally {
      current = undefined;
      remember([]);
    }
  }

  return {
    follow,
    isFollowing: () => current !== undefined,
    /** Withdraws what is followed; its end is told like any other. */
    cancel: () => current?.ids.forEach((id) => cancelRequest(id, { token: token() }).catch(() => {})),
    /** Those that a reload of this tab left, as far as they are known. */
    left: () => recall().map((id) => ({ request_id: id, state: 'queued', times: {} })),
  };
}
