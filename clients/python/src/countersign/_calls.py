"""One call of the API, made again while that is safe and the caller's patience lasts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from ._encoding import parse_json
from ._errors import (
    CountersignError,
    DeadlineError,
    Failure,
    NetworkError,
    ProtocolError,
    RateLimitedError,
    UnavailableError,
    error_of,
)
from ._steps import Broken, Exchange, HttpAnswer, Pause, Settings, Steps
from ._wire import as_problem

#: `always`: the call may be made twice. `unasked`: only where it is certain that nobody has been asked.
Repeat = Literal["always", "unasked"]

#: With these the server says that it has not taken the request.
_UNASKED = frozenset(
    {"rate_limited", "requester_limit", "too_many_inflight", "overloaded", "audit_unavailable", "request_timeout"}
)
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_SPREAD_S = 0.1
_JSON = "application/json"
_PROBLEM = "application/problem+json"


@dataclass
class Attempts:
    """What is to be known of a call's attempts by who has to clean up after it."""

    #: Whether the server may have taken the request by one of them.
    maybe_taken: bool = False
    #: The one that is under way.
    exchange: Exchange | None = None

    def interrupted(self) -> bool:
        """Whether the server may know of the request, when the call has been interrupted."""
        return self.maybe_taken or (self.exchange is not None and self.exchange.sent is not False)


@dataclass
class Backoff:
    """When the next attempt may be made: at once at another server, later where all have been tried."""

    settings: Settings
    pause: float = _FIRST_PAUSE_S
    tried: int = 0
    give_up: float | None = None

    def next(self, error: CountersignError) -> float | None:
        """How long to wait in seconds, or None where the patience is at its end."""
        settings = self.settings
        now = settings.monotonic()
        if self.give_up is None:
            self.give_up = now + settings.patience
        pause = self._pause(error)
        return pause if now + pause <= self.give_up else None

    def _pause(self, error: CountersignError) -> float:
        settings = self.settings
        self.tried += 1
        if not isinstance(error, RateLimitedError):
            settings.current = (settings.current + 1) % len(settings.bases)
            if self.tried % len(settings.bases) != 0:
                return 0.0
        pause = self.pause * (1 + settings.random()) / 2
        self.pause = min(self.pause * 2, _LONGEST_PAUSE_S)
        if error.retry_after is None:
            return pause
        return max(pause, error.retry_after + settings.random() * _SPREAD_S)


def call(
    settings: Settings,
    exchange: Exchange,
    *,
    repeat: Repeat = "always",
    deadline: float = float("inf"),
    attempts: Attempts | None = None,
) -> Steps[HttpAnswer]:
    """Gives an answer of status 2xx, or raises the error that the last attempt ended with."""
    attempts = attempts if attempts is not None else Attempts()
    backoff = Backoff(settings)
    while True:
        left = deadline - settings.monotonic()
        if left <= 0:
            raise DeadlineError("the call's deadline has passed")
        attempts.exchange = exchange.to(settings.base, min(exchange.timeout, left))
        outcome = yield attempts.exchange
        attempts.exchange = None
        error = _error_of(outcome)
        if error is None:
            return outcome  # type: ignore[no-any-return]
        if not _may_repeat(error, repeat):
            raise error
        attempts.maybe_taken |= _maybe_taken(error)
        pause = backoff.next(error)
        if pause is None or pause >= deadline - settings.monotonic():
            raise _at_the_end(error, pause is None)
        if pause > 0:
            yield Pause(pause)


def call_json(settings: Settings, exchange: Exchange, *, media_type: str = _JSON, **options: Any) -> Steps[Any]:
    """The same, and what the answer says."""
    answer = yield from call(settings, exchange, **options)
    return read_json(answer, media_type)


def read_json(answer: HttpAnswer, media_type: str = _JSON) -> Any:
    check_type(answer, media_type)
    try:
        return parse_json(answer.body)
    except ValueError as cause:
        raise ProtocolError(f"the answer is no JSON: {type(cause).__name__}", status=answer.status) from cause


def check_type(answer: HttpAnswer, media_type: str) -> None:
    found = _media_type(answer)
    if found != media_type:
        raise ProtocolError(f"the answer is {found[:64]!r} and not {media_type!r}", status=answer.status)


def _media_type(answer: HttpAnswer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _error_of(outcome: HttpAnswer | Broken) -> CountersignError | None:
    if isinstance(outcome, Broken):
        error = NetworkError(_describe(outcome), sent=outcome.sent)
        error.__cause__ = outcome.cause
        return error
    if outcome.too_long:
        return ProtocolError("the answer is longer than is read of one", status=outcome.status)
    if outcome.headers.get("content-encoding", "identity") != "identity":
        return ProtocolError("the answer is compressed, which was not asked for", status=outcome.status)
    if 200 <= outcome.status < 300:  # noqa: PLR2004
        return None
    return _problem(outcome)


def _describe(broken: Broken) -> str:
    what = "no answer came" if broken.sent else "the server could not be reached"
    return f"{what} ({type(broken.cause).__name__})"


def _problem(answer: HttpAnswer) -> CountersignError:
    status = answer.status
    retry_after = _retry_after(answer)
    if _media_type(answer) == _PROBLEM:
        try:
            return as_problem(read_json(answer, _PROBLEM), status, retry_after)
        except ProtocolError as error:
            return error
    if status >= 500 or status in {401, 429}:  # noqa: PLR2004
        detail = f"status {status}, and no word of the server's"
        return error_of(Failure(f"http_{status}", detail, status=status, retry_after=retry_after))
    return ProtocolError(f"status {status} without a problem document", status=status)


def _retry_after(answer: HttpAnswer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _may_repeat(error: CountersignError, repeat: Repeat) -> bool:
    if isinstance(error, NetworkError):
        return repeat == "always" or not error.sent
    if repeat == "unasked":
        return error.code in _UNASKED
    return isinstance(error, RateLimitedError | UnavailableError)


def _maybe_taken(error: CountersignError) -> bool:
    """A proxy's answer says nothing about the server behind it."""
    return error.sent if isinstance(error, NetworkError) else error.code.startswith("http_5")


def _at_the_end(error: CountersignError, patience: bool) -> CountersignError:
    if patience:
        return error
    late = DeadlineError("the call's deadline would pass before the next attempt")
    late.__cause__ = error
    return late
