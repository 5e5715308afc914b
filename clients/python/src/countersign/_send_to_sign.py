"""Asking for signatures: durably, under an idempotency key, where the server has a store, and otherwise in one call that waits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from . import _ed25519
from ._calls import Attempts, call_json
from ._encoding import decode_base64, encode_base64
from ._errors import CountersignError, DeadlineError, NetworkError, NoStoreError, ProtocolError, VerificationError
from ._public_key import PublicKey, readings, spelled
from ._requests import cancel, wait
from ._steps import Exchange, Settings, Steps
from ._wire import MAX_BATCH, Answer, Device, Request, as_answers

_PATH = "/v1/send_to_sign"
_DEFAULT_TIMEOUT_MS = 60_000
#: For how long a server is taken to have no store once it has said so.
_NO_STORE_S = 600.0
#: How long an interrupted call may take to withdraw what it asked.
_WITHDRAWAL_S = 5.0
_KEY = re.compile("[\x21-\x7e]{1,255}")

Bytes = bytes | bytearray | memoryview


class Options(TypedDict, total=False):
    """How a signature is asked for; all optional, with the meanings of docs/http-api.md."""

    purpose: str
    reference: str
    metadata: Mapping[str, str]
    timeout_ms: int
    delivery_timeout_ms: int
    queue: bool
    webhook: str
    #: An open request of yours for the same key, which ends as `cancelled` in the same step in which this one is taken. Not for batches.
    replaces: str
    idempotency_key: str


class SignOptions(Options, total=False):
    #: How long the whole call may take, in seconds; `timeout_ms` and twice the client's patience if left out.
    deadline: float


@dataclass(frozen=True)
class Signed:
    """A signature that has been verified over the message that was sent, under the key that was named."""

    request_id: str
    #: In canonical base64.
    public_key: str
    message: bytes
    signature: bytes
    #: `human`, or `policy:` and the name of a rule, as the wallet says.
    approved_by: str | None
    #: In milliseconds since the Unix epoch.
    times: dict[str, int]
    device: Device | None


@dataclass(frozen=True)
class Expected:
    """What an answer has to be about."""

    keys: tuple[bytes, ...]
    message: bytes

    def check(self, answer: Answer) -> None:
        key = decode_base64(answer.public_key)
        if key not in self.keys:
            raise VerificationError("the answer is about another key", request_id=answer.request_id)
        if answer.message != self.message:
            raise VerificationError("the answer is about another message", request_id=answer.request_id)

    def signed(self, answer: Answer) -> Signed:
        """Raises the error that the request ended with, or `VerificationError` where the signature does not hold."""
        self.check(answer)
        if isinstance(answer, Request) and answer.error is not None:
            raise answer.error
        signature = answer.signature
        if signature is None:
            raise ProtocolError("the request has not ended", request_id=answer.request_id)
        if not _ed25519.verify(decode_base64(answer.public_key) or b"", self.message, signature):
            raise VerificationError("the signature is not one over the message", request_id=answer.request_id)
        return Signed(
            request_id=answer.request_id,
            public_key=answer.public_key,
            message=self.message,
            signature=signature,
            approved_by=answer.approved_by,
            times=dict(answer.times),
            device=answer.device,
        )

    def result(self, answer: Answer) -> Signed | CountersignError:
        try:
            return self.signed(answer)
        except CountersignError as error:
            return error


@dataclass(frozen=True)
class PreparedCall:
    """A call whose arguments have been checked, as far as the answers have to be compared with them."""

    body: bytes
    expected: tuple[Expected, ...]
    idempotency_key: str | None
    #: In seconds.
    timeout: float
    deadline: float | None
    #: It cannot be asked without a store.
    durable: bool = field(default=False)


def prepare_call(public_key: PublicKey, messages: Bytes | Sequence[Bytes], options: SignOptions) -> PreparedCall:
    unknown = set(options) - SignOptions.__annotations__.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
    single = isinstance(messages, bytes | bytearray | memoryview)
    all_bytes = [_bytes(messages)] if single else [_bytes(message) for message in messages]
    if not 1 <= len(all_bytes) <= MAX_BATCH:
        raise ValueError(f"messages are 1 to {MAX_BATCH}")
    encoded = [encode_base64(message) for message in all_bytes]
    members: dict[str, Any] = {
        key: value for key, value in options.items() if key not in {"idempotency_key", "deadline"}
    }
    members |= {"public_key": spelled(public_key)} | ({"message": encoded[0]} if single else {"messages": encoded})
    keys = tuple(readings(public_key))
    return PreparedCall(
        body=json.dumps(members, ensure_ascii=False, allow_nan=False).encode("utf-8"),
        expected=tuple(Expected(keys, message) for message in all_bytes),
        idempotency_key=_idempotency_key(options.get("idempotency_key")),
        timeout=_milliseconds(options.get("timeout_ms", _DEFAULT_TIMEOUT_MS)) / 1_000,
        deadline=_seconds(options.get("deadline")),
        durable="idempotency_key" in options
        or options.get("queue") is True
        or bool({"webhook", "replaces"} & options.keys()),
    )


def one_message(message: Bytes) -> Bytes:
    if isinstance(message, list | tuple):
        raise TypeError("several messages are for send_to_sign_batch and submit_batch")
    return message


def several_messages(messages: Sequence[Bytes]) -> list[Bytes]:
    if isinstance(messages, bytes | bytearray | memoryview | str):
        raise TypeError("messages are a list of bytes")
    return list(messages)


def _bytes(message: object) -> bytes:
    if not isinstance(message, bytes | bytearray | memoryview):
        raise TypeError("a message is bytes: encode a text first")
    return bytes(message)


def _idempotency_key(key: object) -> str | None:
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise ValueError("idempotency_key is 1 to 255 visible ASCII characters")
    return key


def _milliseconds(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("timeout_ms is a whole number")
    return value


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError("deadline is a number of seconds")
    return float(value)


def sign(settings: Settings, asked: PreparedCall) -> Steps[list[Signed | CountersignError]]:
    """Asks and waits: for each message, in their order, what was signed or why it was not."""
    span = asked.deadline if asked.deadline is not None else asked.timeout + 2 * settings.patience
    deadline = settings.monotonic() + span
    if asked.durable or (settings.durable and settings.monotonic() >= settings.no_store_until):
        try:
            return (yield from _sign_durably(settings, asked, deadline))
        except NoStoreError:
            if asked.durable:
                raise
            settings.no_store_until = settings.monotonic() + _NO_STORE_S
    return (yield from _sign_waiting(settings, asked, deadline))


def submit(settings: Settings, asked: PreparedCall) -> Steps[list[Request]]:
    """Has requests written down. They stand as the answer says."""
    key = asked.idempotency_key or settings.uuid()
    answers = yield from accept(settings, asked, key, Attempts())
    for answer, expected in zip(answers, asked.expected, strict=True):
        expected.check(answer)
    requests = [answer for answer in answers if isinstance(answer, Request)]
    if len(requests) != len(answers):
        raise ProtocolError("the answer does not say how the request stands")
    return requests


def _sign_durably(settings: Settings, asked: PreparedCall, deadline: float) -> Steps[list[Signed | CountersignError]]:
    key = asked.idempotency_key or settings.uuid()
    attempts = Attempts()
    accepted: list[Answer] = []
    try:
        accepted += yield from accept(settings, asked, key, attempts, deadline)
        ended = yield from _ends_of(settings, accepted, deadline)
    except GeneratorExit:
        raise
    except (DeadlineError, KeyboardInterrupt, SystemExit) as error:
        yield from _withdraw(settings, asked, key, attempts, accepted)
        if isinstance(error, DeadlineError) and accepted:
            error.request_id = accepted[0].request_id
        raise
    except CountersignError:
        raise
    except BaseException:
        # The caller's own reason to stop, such as the cancellation of its task.
        yield from _withdraw(settings, asked, key, attempts, accepted)
        raise
    return [expected.result(answer) for expected, answer in zip(asked.expected, ended, strict=True)]


def accept(
    settings: Settings, asked: PreparedCall, key: str, attempts: Attempts, deadline: float = math.inf
) -> Steps[list[Answer]]:
    headers = {"Content-Type": "application/json", "Prefer": "respond-async", "Idempotency-Key": key}
    exchange = Exchange("POST", _PATH, headers, asked.body, settings.exchange_timeout)
    try:
        value = yield from call_json(settings, exchange, deadline=deadline, attempts=attempts)
    except NoStoreError as error:
        if attempts.maybe_taken:
            # Another server may have it, and asking this one anew would be a second prompt.
            raise NetworkError("the server that may have the request could not be asked again", sent=True) from error
        raise
    except NetworkError as error:
        error.sent = error.sent or attempts.maybe_taken
        raise
    return _as_many(as_answers(value), asked)


def _as_many(answers: list[Answer], asked: PreparedCall) -> list[Answer]:
    if len(answers) != len(asked.expected):
        raise ProtocolError(f"the answer has {len(answers)} requests for {len(asked.expected)} messages")
    return answers


def _ends_of(settings: Settings, answers: list[Answer], deadline: float) -> Steps[list[Answer]]:
    ends: list[Answer] = []
    for answer in answers:
        end = yield from _end_of(settings, answer, deadline)
        ends.append(end)
    return ends


def _end_of(settings: Settings, answer: Answer, deadline: float) -> Steps[Answer]:
    if not isinstance(answer, Request) or answer.ended:
        return answer
    return (yield from wait(settings, answer.request_id, deadline=deadline))


def _withdraw(
    settings: Settings, asked: PreparedCall, key: str, attempts: Attempts, accepted: list[Answer]
) -> Steps[None]:
    """Withdraws what the server has, or may have: then its name is asked for under the same key, which makes no second request."""
    deadline = settings.monotonic() + _WITHDRAWAL_S
    try:
        if not accepted and attempts.interrupted():
            accepted += yield from accept(settings, asked, key, Attempts(), deadline)
        for answer in accepted:
            if not (isinstance(answer, Request) and answer.ended):
                yield from cancel(settings, answer.request_id, deadline)
    except CountersignError:
        # The caller is told why the call ended; that it could not be withdrawn as well helps nobody.
        return


def _sign_waiting(settings: Settings, asked: PreparedCall, deadline: float) -> Steps[list[Signed | CountersignError]]:
    """In one call, which withdraws its request when its connection closes."""
    headers = {"Content-Type": "application/json"}
    timeout = asked.timeout + settings.exchange_timeout
    exchange = Exchange("POST", _PATH, headers, asked.body, timeout)
    try:
        value = yield from call_json(settings, exchange, deadline=deadline, repeat="unasked")
    except NetworkError as error:
        if settings.monotonic() >= deadline:
            raise DeadlineError("the call's deadline has passed") from error
        raise
    answers = _as_many(as_answers(value), asked)
    return [expected.result(answer) for expected, answer in zip(asked.expected, answers, strict=True)]
