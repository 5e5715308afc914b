"""Requests that are found again by what is known of them: listed, looked at and withdrawn several at a time."""

from __future__ import annotations

from typing import Any, TypedDict
from urllib.parse import urlencode

from ._calls import call_json
from ._pagination import PageChecker, check_batch
from ._public_key import PublicKey, spelled
from ._requests import verify_answer
from ._steps import Emit, Exchange, Settings, Steps
from ._wire import BatchResource, CancelledAll, as_batch_resource, as_cancelled_all, as_page, is_uuid


class Filters(TypedDict, total=False):
    """Which requests: those to which everything given applies."""

    #: `open`, `ended`, or how it ended: `signed`, `rejected`, `expired`, `cancelled`.
    state: str
    public_key: PublicKey
    #: What you have called it.
    reference: str
    batch_id: str
    idempotency_key: str
    #: Asked for then or later, in milliseconds since the Unix epoch.
    created_after_ms: int
    #: Asked for earlier than then.
    created_before_ms: int


class ListOptions(Filters, total=False):
    #: How many are fetched at once, 1 to 100; 20 if left out.
    page_size: int


def listed(settings: Settings, options: ListOptions) -> Steps[None]:
    """Emits each of them, the newest first."""
    query = _query(options, ListOptions)
    pages = PageChecker(options)
    while True:
        value = yield from call_json(settings, _exchange(settings, "GET", query))
        requests, cursor = as_page(value)
        pages.check(requests, cursor)
        for request in requests:
            verify_answer(request)
        for request in requests:
            yield Emit(request)
        if cursor is None:
            return
        query["cursor"] = cursor


def batch(settings: Settings, method: str, batch_id: str) -> Steps[BatchResource]:
    if not isinstance(batch_id, str) or not is_uuid(batch_id):
        raise ValueError("batch_id is a UUID")
    exchange = Exchange(method, f"/v1/batches/{batch_id}", timeout=settings.exchange_timeout)
    value = yield from call_json(settings, exchange)
    found = as_batch_resource(value)
    check_batch(found, batch_id)
    for request in found.requests:
        verify_answer(request)
    return found


def cancel_all(settings: Settings, filters: Filters) -> Steps[CancelledAll]:
    value = yield from call_json(settings, _exchange(settings, "DELETE", _query(filters, Filters)))
    return as_cancelled_all(value)


def _exchange(settings: Settings, method: str, query: dict[str, str]) -> Exchange:
    path = f"/v1/requests?{urlencode(query)}" if query else "/v1/requests"
    return Exchange(method, path, timeout=settings.exchange_timeout)


def _query(options: Filters, known: Any) -> dict[str, str]:
    allowed = Filters.__annotations__.keys() | known.__annotations__.keys()
    unknown = set(options) - allowed
    if unknown:
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
    given: dict[str, Any] = dict(options)
    if "public_key" in given:
        given["public_key"] = spelled(given["public_key"])
    if "page_size" in given:
        given["limit"] = given.pop("page_size")
    return {name: str(value) for name, value in given.items()}
