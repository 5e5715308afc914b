"""What goes wrong: one class for each thing that callers treat differently. Members have the names of the API's problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._wire import Request


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of the body, one parameter of the query or one header."""

    #: Where in the body: a JSON Pointer (RFC 6901) such as `/messages/3`, empty for the body as a whole.
    pointer: str | None
    #: Or which parameter of the query.
    parameter: str | None
    #: `required`, `type`, `unknown`, `range`, `too_long`, `format`, `conflict`, `not_allowed`; others may come.
    code: str
    #: For people.
    detail: str
    #: Or which header.
    header: str | None = None


@dataclass(frozen=True)
class Failure:
    """What is known of an error."""

    code: str
    detail: str
    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    reject_code: str | None = None
    reason: str | None = None
    phase: str | None = None
    replaced: Request | None = None
    call_id: str | None = None
    errors: tuple[FieldError, ...] = ()


def _text(failure: Failure) -> str:
    """By its call's id an error is found in the server's log."""
    call = "" if failure.call_id is None else f" (call {failure.call_id})"
    return f"{failure.code}: {failure.detail}{call}"


class CountersignError(Exception):
    """Everything that this package raises about a call, except `TypeError` and `ValueError` for a call that makes no sense."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(_text(failure))
        #: Stable, for programs: one of the API's codes, or `network`, `deadline`, `protocol`, `verification`, `http_<status>`.
        self.code = failure.code
        #: For people.
        self.detail = failure.detail
        #: Of the HTTP answer, where there was one.
        self.status = failure.status
        #: What the server's log calls the HTTP call.
        self.call_id = failure.call_id
        #: What is wrong with the call, one by one, where the server said so.
        self.errors = failure.errors
        #: Where a request had been made.
        self.request_id = failure.request_id
        #: In seconds, where the server said so.
        self.retry_after = failure.retry_after


class InvalidRequestError(CountersignError):
    """The call has to be mended: the same one will always fail."""


class IdempotencyKeyReusedError(InvalidRequestError):
    """The idempotency key has been used for another request."""


class UnknownRequestError(InvalidRequestError):
    """No such request is kept: it was never durable, is another requester's, or ended too long ago."""


class UnauthorizedError(CountersignError):
    """No token or an unknown one, or the server does not answer for this host."""


class RejectedError(CountersignError):
    """The wallet declined."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        #: `user_rejected`, `policy_rejected`, `locked` or `unsupported`.
        self.reject_code = failure.reject_code
        #: The wallet's own words: text to show, never markup, and no more than a claim.
        self.reason = failure.reason


class ExpiredError(CountersignError):
    """Nobody answered in time."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        #: How far the request had come: `queued`, `delivered`, `received` or `displayed`.
        self.phase = failure.phase


class SignerDisconnectedError(ExpiredError):
    """The wallet left and did not come back in time."""


class DeliveryTimeoutError(ExpiredError):
    """No wallet said within its time that it has the request."""


class SignerNotConnectedError(CountersignError):
    """No wallet with this key is connected, and nobody was asked."""


class CancelledError(CountersignError):
    """The request was withdrawn."""


class KeyBlockedError(CountersignError):
    """An operator of the server has blocked the key: nothing is asked of it."""


class ReplacedRequestEndedError(CountersignError):
    """The request that was to be replaced has ended, and no other was made: whoever has decided is not asked again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        #: How it ended, as the server says: a signature in it is not verified here.
        self.replaced = failure.replaced


class NotEndedError(CountersignError):
    """The request is open, so that it has no receipt."""


class WalletError(CountersignError):
    """The wallet answered with what does not verify: it is broken or hostile."""


class RateLimitedError(CountersignError):
    """Too much at once; `retry_after` says when the next call will be let through, where that is known."""


class UnavailableError(CountersignError):
    """The server cannot answer now."""


class NoStoreError(CountersignError):
    """It would need a store, and the server has none."""


class NetworkError(CountersignError):
    """No answer came: the connection could not be made, or it broke, or nothing was heard."""

    def __init__(self, detail: str, *, sent: bool, request_id: str | None = None) -> None:
        super().__init__(Failure("network", detail, request_id=request_id))
        #: False where it is certain that nothing reached the server.
        self.sent = sent


class DeadlineError(CountersignError):
    """The call's own deadline has passed."""

    def __init__(self, detail: str, request_id: str | None = None) -> None:
        super().__init__(Failure("deadline", detail, request_id=request_id))


class ProtocolError(CountersignError):
    """What came is not what the API says; `detail` names what was wrong."""

    def __init__(self, detail: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(Failure("protocol", detail, status=status, request_id=request_id))


class VerificationError(CountersignError):
    """A signature does not hold for what it is said to be over: somebody lies."""

    def __init__(self, detail: str, *, request_id: str | None = None) -> None:
        super().__init__(Failure("verification", detail, request_id=request_id))


class UnknownKeyError(VerificationError):
    """It is signed by a key that is none of those given: it is forged, or the keys are old."""


_BY_CODE: dict[str, type[CountersignError]] = {
    "unauthorized": UnauthorizedError,
    "host_not_allowed": UnauthorizedError,
    "key_blocked": KeyBlockedError,
    "key_not_allowed": UnauthorizedError,
    "read_only": UnauthorizedError,
    "rejected": RejectedError,
    "webhook_not_allowed": InvalidRequestError,
    "signer_not_connected": SignerNotConnectedError,
    "unknown_request": UnknownRequestError,
    "cancelled": CancelledError,
    "replaced_request_ended": ReplacedRequestEndedError,
    "not_ended": NotEndedError,
    "requests_open": NotEndedError,
    "request_timeout": UnavailableError,
    "idempotency_key_reused": IdempotencyKeyReusedError,
    "rate_limited": RateLimitedError,
    "requester_limit": RateLimitedError,
    "too_many_inflight": RateLimitedError,
    "invalid_signature": WalletError,
    "message_mismatch": WalletError,
    "no_store": NoStoreError,
    "signer_disconnected": SignerDisconnectedError,
    "delivery_timeout": DeliveryTimeoutError,
    "timeout": ExpiredError,
    "overloaded": UnavailableError,
    "draining": UnavailableError,
    "storage_unavailable": UnavailableError,
    "audit_unavailable": UnavailableError,
}
_INVALID = frozenset({400, 404, 405, 413, 415, 422, 426})


def error_of(failure: Failure) -> CountersignError:
    """The error of a code, and where it is unknown that of the status."""
    return (_BY_CODE.get(failure.code) or _of_status(failure.status or 0))(failure)


def _of_status(status: int) -> type[CountersignError]:
    if status == 401:  # noqa: PLR2004
        return UnauthorizedError
    if status == 429:  # noqa: PLR2004
        return RateLimitedError
    if status in _INVALID:
        return InvalidRequestError
    return UnavailableError if status >= 500 else CountersignError  # noqa: PLR2004
