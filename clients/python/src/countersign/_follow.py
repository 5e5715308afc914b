"""Following a request: its states as they come, over as many connections as it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._calls import Backoff, call, check_type
from ._encoding import parse_json
from ._errors import CountersignError, NetworkError, ProtocolError, RateLimitedError, UnavailableError
from ._requests import checked, path_of
from ._sse import Event, EventReader
from ._steps import Broken, Emit, Exchange, Pause, Read, Settings, Steps
from ._wire import Request, as_problem, as_request

#: Three times what the server lets pass between two signs of life.
_SILENCE_S = 45.0
_TYPE = "text/event-stream"


@dataclass
class _Progress:
    """What has been heard of a request."""

    request_id: str
    backoff: Backoff
    told: set[str] = field(default_factory=set)
    ended: bool = False


def follow(settings: Settings, request_id: str) -> Steps[None]:
    """Emits each state once, to the last."""
    progress = _Progress(request_id, Backoff(settings))
    while not progress.ended:
        try:
            broken = yield from _connection(settings, progress)
        except CountersignError as error:
            error.request_id = error.request_id or request_id
            raise
        if progress.ended:
            return
        pause = progress.backoff.next(broken)
        if pause is None:
            raise broken
        if pause > 0:
            yield Pause(pause)


def _connection(settings: Settings, progress: _Progress) -> Steps[CountersignError]:
    """Gives the reason why the connection is over, which matters where the request has not ended."""
    path = path_of(progress.request_id, "/events")
    answer = yield from call(settings, Exchange("GET", path, {"Accept": _TYPE}, timeout=_SILENCE_S, stream=True))
    check_type(answer, _TYPE)
    reader = EventReader(settings.max_answer_bytes)
    while True:
        piece = yield Read()
        if not isinstance(piece, bytes):
            return _broken(piece, progress.request_id)
        for event in reader.feed(piece):
            if event.name == "problem":
                return _problem(event)
            yield from _tell(settings, progress, _request(event, progress.request_id))
            if progress.ended:
                return _broken(None, progress.request_id)


def _tell(settings: Settings, progress: _Progress, request: Request) -> Steps[None]:
    # It has been heard from, so that the patience begins anew; how often it is called does not.
    progress.backoff.give_up = None
    if request.state in progress.told:
        return
    progress.backoff = Backoff(settings)
    progress.told.add(request.state)
    yield Emit(request)
    progress.ended = request.ended


def _broken(piece: Broken | None, request_id: str) -> CountersignError:
    error = NetworkError("the events broke off", sent=True, request_id=request_id)
    error.__cause__ = piece.cause if piece is not None else None
    return error


def _request(event: Event, request_id: str) -> Request:
    return checked(as_request(_parse(event)), request_id)


def _problem(event: Event) -> CountersignError:
    """What passes is returned, what does not is raised."""
    error = as_problem(_parse(event), status=0, retry_after=None)
    if isinstance(error, UnavailableError | RateLimitedError):
        return error
    raise error


def _parse(event: Event) -> object:
    try:
        return parse_json(event.data)
    except ValueError as cause:
        raise ProtocolError(f"an event is no JSON: {type(cause).__name__}") from cause
