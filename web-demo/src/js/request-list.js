import { announce } from './announce.js';
import { byId } from './dom.js';
import { earlierRow } from './earlier-row.js';
import { excerpt } from './message-view.js';
import { hasEnded } from './outcome.js';
import { requestCard } from './request-card.js';

const EARLIER_KEPT = 20;

/**
 * The wallet's requests: cards in the order they came, and below them a line for each earlier one. A card that ended
 * stays where it is until the next request comes, so that nothing moves while somebody reads or aims.
 *
 * @param onOpen   called with the number of requests waiting for a decision, whenever it changes
 */
export function requestList(onOpen) {
  const open = byId('open-requests');
  const earlier = byId('earlier-requests');
  const title = document.title;
  let cards = [];

  function count() {
    const waiting = cards.filter((card) => card.request.state === 'open').length;
    document.title = waiting > 0 ? `(${waiting}) ${title}` : title;
    onOpen(waiting);
  }

  function putAway(card) {
    card.root.remove();
    earlier.prepend(earlierRow(card.request, card.outcome()));
    while (earlier.childElementCount > EARLIER_KEPT) earlier.lastElementChild.remove();
    byId('earlier').hidden = false;
  }

  return {
    /** Puts a request before the human. */
    add(request) {
      cards.filter((card) => hasEnded(card.request)).forEach(putAway);
      cards = cards.filter((card) => !hasEnded(card.request));
      cards.forEach((card) => card.arm());
      const card = requestCard(request, (outcome) => announce(outcome.sentence));
      cards.push(card);
      open.append(card.root);
      byId('no-requests').hidden = true;
      announce(`${request.requester.name} asks for your signature: ${excerpt(request.message)}`);
      request.on('change', count);
      count();
    },
    /** Declines what is open, because this wallet is about to give its key up. */
    async declineAll() {
      const waiting = cards.filter((card) => card.request.state === 'open');
      await Promise.allSettled(waiting.map(({ request }) =>
        request.reject({ code: 'locked', scope: 'device', reason: 'The wallet changed to another key' })));
    },
    /** The card of a request, if it is still shown as one. */
    cardOf: (id) => cards.find((card) => card.request.id === id),
  };
}
