"""What the pages of a list, and a batch, are held to: they are of what was asked for, in their order, and come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._encoding import decode_base64
from ._errors import ProtocolError
from ._public_key import readings
from ._wire import BatchResource, Request

#: Pages without a request that may come in a row. A server has passed over thousands of requests for each.
_MOST_EMPTY_PAGES = 10_000


class PageChecker:
    """Checks a list page by page. What it remembers is bounded: one id, and the cursors since the last page that had a request."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._last_id: str | None = None
        self._cursors: set[str] = set()

    def check(self, requests: list[Request], cursor: str | None) -> None:
        """Raises `ProtocolError` where this cannot be the next page of the list."""
        asked = self._options.get("page_size")
        if isinstance(asked, int) and len(requests) > asked:
            raise ProtocolError(f"the page has {len(requests)} requests, and {asked} were asked for")
        for request in requests:
            self._check_request(request)
        if requests:
            self._cursors.clear()
        if cursor is None:
            return
        if cursor in self._cursors:
            raise ProtocolError("the pages of the list go in a circle")
        self._cursors.add(cursor)
        if len(self._cursors) > _MOST_EMPTY_PAGES:
            raise ProtocolError(f"{_MOST_EMPTY_PAGES} pages of the list in a row are empty")

    def _check_request(self, request: Request) -> None:
        """Each id is lower than the one before, whatever the cursors say: so none comes twice, and there is an end."""
        request_id = request.request_id.lower()
        if self._last_id is not None and request_id >= self._last_id:
            raise ProtocolError("the list has a request again, or out of its order", request_id=request_id)
        self._last_id = request_id
        if not _takes(self._options, request):
            raise ProtocolError("the list has a request that was not asked for", request_id=request_id)


def _takes(options: Mapping[str, Any], request: Request) -> bool:
    """Whether filters take a request, as far as it shows.

    Not under which idempotency key it was asked, nor to the millisecond when, since a server's clock may be set right.
    """
    key, state, batch_id = (options.get(name) for name in ("public_key", "state", "batch_id"))
    return (
        (key is None or decode_base64(request.public_key) in readings(key))
        and (state is None or state in (request.state, "ended" if request.ended else "open"))
        and (batch_id is None or (request.batch is not None and request.batch.id.lower() == batch_id.lower()))
        and options.get("reference", request.reference) == request.reference
    )


def check_batch(found: BatchResource, batch_id: str) -> None:
    """Raises `ProtocolError` where an answer cannot be about the batch with this id."""
    wanted = batch_id.lower()
    if found.batch_id.lower() != wanted:
        raise ProtocolError("the answer is about another batch")
    first = found.requests[0]
    last_index = -1
    for request in found.requests:
        place = request.batch
        if place is None or place.id.lower() != wanted or request.public_key != first.public_key:
            raise ProtocolError("the batch has a request that is not of it", request_id=request.request_id)
        if not last_index < place.index < place.size or first.batch is None or place.size != first.batch.size:
            raise ProtocolError("the batch is not in the order of its messages", request_id=request.request_id)
        last_index = place.index
    if len({request.request_id for request in found.requests}) != len(found.requests):
        raise ProtocolError("two messages have one request")
    if (found.state == "ended") != all(request.ended for request in found.requests):
        raise ProtocolError(f"the batch is said to be {found.state}, and its requests are not")
