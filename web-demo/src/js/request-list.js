import { announce } from './announce.js';
import { batchCard } from './batch-card.js';
import { byId } from './dom.js';
import { historyRow, unseenRow } from './history-row.js';
import { excerpt } from './message-view.js';
import { hasEnded, outcomeOf } from './outcome.js';
import { promptSheet } from './prompt-sheet.js';
import { requestCard } from './request-card.js';

const HISTORY_KEPT = 20;

/**
 * The wallet's requests: cards in the order they came, and below them a line for each earlier one. A card that ended
 * stays where it is until the next request comes, so that nothing moves while somebody reads or aims.
 *
 * @param {(count: number) => void} onOpen called with the number of requests waiting for a decision, whenever it changes
 */
export function requestList(onOpen) {
  const shown = byId('open-requests');
  const historyRows = byId('history-rows');
  const title = document.title;
  const sheet = promptSheet(() => cards.forEach((card) => card.arm()));
  /**
   * The requests that were told of, until they are over.
   *
   * @type {Set<string>}
   */
  const known = new Set();
  /** Those in whose place another came. */
  const replaced = new Set();
  /** @type {Card[]} */
  let cards = [];

  const open = () => cards.flatMap((card) => card.requests).filter((request) => request.state === 'open');
  /** @param {Card} card */
  const isOver = (card) => card.requests.every(hasEnded);

  function count() {
    const waiting = open().length;
    document.title = waiting > 0 ? `(${waiting}) ${title}` : title;
    byId('requests').dataset.waiting = String(waiting > 0);
    onOpen(waiting);
  }

  /** @param {Card} card */
  function putAway(card) {
    card.root.remove();
    const outcomes = card.outcomes();
    remember(card.requests.flatMap((request, index) => rowOf(request, toldOf(request, outcomes[index]))));
  }

  /**
   * @param {import('countersign').SignRequest} request
   * @param {RequestOutcome | null | undefined} outcome
   */
  const toldOf = ({ id, state }, outcome) =>
    outcome && replaced.delete(id) && state === 'cancelled' ? { ...outcome, sentence: 'Replaced by the requester.' } : outcome;

  /** @param {HTMLElement[]} rows */
  function remember(rows) {
    historyRows.prepend(...rows);
    while (historyRows.childElementCount > HISTORY_KEPT) historyRows.lastElementChild?.remove();
    byId('history').hidden = false;
  }

  function putAwayOver() {
    cards.filter(isOver).forEach(putAway);
    cards = cards.filter((card) => !isOver(card));
  }

  function clear() {
    putAwayOver();
    byId('no-requests').hidden = cards.length > 0;
    if (cards.length === 0) sheet.close();
  }

  /**
   * The card of the request that another one replaces, unless it shows others as well.
   *
   * @param {string | undefined} id
   */
  const placeOf = (id) => cards.find(({ requests }) => requests.length === 1 && requests[0].id === id);

  /**
   * @param {Card} card
   * @param {string} announcement
   * @param {Card} [place] where it is to stand, if that is over; behind all others otherwise
   */
  function show(card, announcement, place) {
    const next = place && isOver(place) ? place : undefined;
    const behind = next ? cards.slice(cards.indexOf(next)) : [];
    // A key that was meant for what stood here must not press a button of what stands here now.
    if (next?.root.contains(document.activeElement)) byId('requests').focus({ preventScroll: true });
    shown.insertBefore(card.root, next?.root ?? null);
    putAwayOver();
    cards.forEach((other) => other.arm());
    const at = cards.findIndex((other) => behind.includes(other));
    cards.splice(at < 0 ? cards.length : at, 0, card);
    card.requests.forEach(({ id }) => known.add(id));
    byId('no-requests').hidden = true;
    // What was shown before is there again; it is no news.
    if (!card.requests.every((request) => request.resumed)) announce(announcement);
    for (const request of card.requests) request.on('change', count);
    count();
    sheet.offer();
  }

  /** @param {RequestOutcome} outcome */
  const tell = (outcome) => announce(outcome.sentence);

  return {
    /**
     * Puts a request before the human.
     *
     * @param {import('countersign').SignRequest} request
     * @param {string} [replaces] the request in whose place it is
     */
    add(request, replaces) {
      const card = requestCard(request, tell);
      const place = placeOf(replaces);
      if (!place || !replaces) return show(card, `${request.requester.name} asks for your signature: ${excerpt(request.message)}`);
      replaced.add(replaces);
      card.replace?.();
      return show(card, `${request.requester.name} has replaced its request. It asks now: ${excerpt(request.message)}`, place);
    },
    /**
     * Puts several requests before the human at once.
     *
     * @param {import('countersign').SignBatch} batch
     */
    addBatch(batch) {
      show(batchCard(batch, tell), `${batch.requester.name} asks for ${batch.requests.length} signatures at once`);
    },
    /**
     * Notes a request that a rule has approved, once it is over.
     *
     * @param {import('countersign').SignRequest} request
     */
    addApproved(request) {
      known.add(request.id);
      const end = () => {
        const outcome = outcomeOf(request, request.signal.reason);
        if (!hasEnded(request) || !outcome) return;
        off();
        const told = request.state === 'accepted' ? { ...outcome, sentence: 'Signed by your rule. Nobody was asked.' } : outcome;
        remember([historyRow(request, told)]);
        tell(told);
      };
      const off = request.on('change', end);
      end();
    },
    /**
     * Notes the end of a request that nobody has seen here: it was answered before the page was loaded anew, or over at once.
     *
     * @param {import('countersign').EndedEvent} event
     */
    addEnded({ requestId, state, error }) {
      if (known.delete(requestId)) return;
      const outcome = outcomeOf({ state }, error);
      if (outcome) remember([unseenRow(requestId, state, outcome)]);
    },
    /** Puts away what is over. */
    clear,
    /** Declines what is open, because this wallet is about to give its key up. */
    async declineAll() {
      await Promise.allSettled(
        open().map((request) => request.reject({ code: 'locked', scope: 'device', reason: 'The wallet changed to another key' })),
      );
    },
    /**
     * The card of a request, if it is still shown as one.
     *
     * @param {string} id
     */
    cardOf: (id) => cards.find((card) => card.requests.some((request) => request.id === id)),
  };
}

/**
 * @param {import('countersign').SignRequest} request
 * @param {RequestOutcome | null | undefined} outcome
 */
const rowOf = (request, outcome) => (outcome ? [historyRow(request, outcome)] : []);
