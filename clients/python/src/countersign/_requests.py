"""What can be done with a request that is kept: look at it, wait for it, follow it, withdraw it, have its receipt."""

from __future__ import annotations

import math

from . import _ed25519
from ._calls import call, call_json, check_type
from ._encoding import decode_base64
from ._errors import CountersignError, ProtocolError, VerificationError
from ._steps import Exchange, Pause, Settings, Steps
from ._wire import Answer, Request, as_request, is_uuid

#: Less than the 60 s that the server allows, and than what proxies wait.
_POLL_S = 45
#: A server that does not wait is not asked more often.
_SHORTEST_POLL_S = 1.0


def path_of(request_id: str, rest: str = "") -> str:
    if not isinstance(request_id, str) or not is_uuid(request_id):
        raise ValueError("request_id is a UUID")
    return f"/v1/requests/{request_id}{rest}"


def get(settings: Settings, request_id: str) -> Steps[Request]:
    return (yield from _read(settings, request_id, Exchange("GET", path_of(request_id))))


def cancel(settings: Settings, request_id: str, deadline: float = math.inf) -> Steps[Request]:
    return (yield from _read(settings, request_id, Exchange("DELETE", path_of(request_id)), deadline))


def receipt(settings: Settings, request_id: str) -> Steps[str]:
    exchange = Exchange("GET", path_of(request_id, "/receipt"), timeout=settings.exchange_timeout)
    answer = yield from call(settings, exchange)
    check_type(answer, "application/jose")
    if not answer.body.isascii():
        raise ProtocolError("the receipt is not ASCII", status=answer.status)
    return answer.body.decode("ascii").strip()


def wait(settings: Settings, request_id: str, until: float = math.inf, deadline: float = math.inf) -> Steps[Request]:
    """Until the request has ended, or until then as it stands; not beyond the deadline, with which `DeadlineError` is raised."""
    while True:
        began = settings.monotonic()
        poll = max(0, min(_POLL_S, math.ceil(until - began))) if until < math.inf else _POLL_S
        exchange = Exchange("GET", path_of(request_id, f"?wait={poll}"))
        request = yield from _read(settings, request_id, exchange, deadline, poll)
        now = settings.monotonic()
        if request.ended or now >= until:
            return request
        if now - began < _SHORTEST_POLL_S:
            yield Pause(min(_SHORTEST_POLL_S, until - now))


def _read(
    settings: Settings, request_id: str, exchange: Exchange, deadline: float = math.inf, wait: float = 0
) -> Steps[Request]:
    exchange.timeout = settings.exchange_timeout + wait
    try:
        value = yield from call_json(settings, exchange, deadline=deadline)
    except CountersignError as error:
        error.request_id = error.request_id or request_id
        raise
    return checked(as_request(value), request_id)


def checked(request: Request, request_id: str) -> Request:
    """A request that is the one asked for, with a signature that holds, where it has one."""
    if request.request_id.lower() != request_id.lower():
        raise ProtocolError("the answer is about another request", request_id=request_id)
    verify_answer(request)
    return request


def verify_answer(answer: Answer) -> None:
    """Raises `VerificationError` where there is a signature, and it is not one over the message beside it."""
    if answer.signature is None:
        return
    if not _ed25519.verify(decode_base64(answer.public_key) or b"", answer.message, answer.signature):
        raise VerificationError("the signature is not one over the message", request_id=answer.request_id)
