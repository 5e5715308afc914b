"""What the API answers, parsed into types. What else an answer has is in `members`; a member of another type is a `ProtocolError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ._encoding import decode_base64
from ._errors import CountersignError, Failure, FieldError, ProtocolError, error_of
from ._public_key import LENGTH

OPEN_STATES = ("queued", "delivered", "received", "displayed")
END_STATES = ("signed", "rejected", "expired", "cancelled")
_SIGNATURE_LENGTH = 64
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CURSOR = re.compile("[!-~]{1,512}")
#: As many messages as a prompt may show.
MAX_BATCH = 16
#: As many mistakes as an error may list.
_MAX_ERRORS = 1024
#: The caller of the server may have chosen it, and it stands in texts of errors.
_CALL_ID = re.compile("[!-~]{1,128}")
#: As many requests as a page of a list has, and as many as are withdrawn at once.
_MAX_AT_ONCE = 100


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


@dataclass(frozen=True)
class Device:
    """The device that signed, as it calls itself."""

    id: str
    label: str


@dataclass(frozen=True)
class Batch:
    """Which of several messages a request is for."""

    id: str
    index: int
    size: int


@dataclass(frozen=True)
class Answer:
    """A signature, and what it is said to be over."""

    request_id: str
    #: In canonical base64.
    public_key: str
    message: bytes
    signature: bytes | None
    approved_by: str | None
    #: In milliseconds since the Unix epoch: `queued_ms` and so on.
    times: Mapping[str, int]
    device: Device | None
    #: The JSON as it came.
    members: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Request(Answer):
    """How a request stands."""

    #: `queued`, `delivered`, `received`, `displayed`, or one of the ends: `signed`, `rejected`, `expired`, `cancelled`.
    state: str
    #: How often it has been handed to wallets.
    attempt: int
    #: The name that wallets show.
    requester: str
    purpose: str | None
    #: What you call it, and what you wanted to find beside it again.
    reference: str | None
    metadata: Mapping[str, str]
    batch: Batch | None
    deliver_by_ms: int
    expires_at_ms: int
    #: Why there is no signature, with the other ends.
    error: CountersignError | None

    @property
    def ended(self) -> bool:
        return self.state in END_STATES


@dataclass(frozen=True)
class BatchResource:
    """How several requests of one prompt stand."""

    batch_id: str
    #: `open` while one of them is, then `ended`.
    state: str
    #: In the order of the messages; those that are kept no more are left out.
    requests: list[Request]
    members: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class CancelledAll:
    """What became of withdrawing all that filters take."""

    cancelled: int
    #: There are more: call again.
    has_more: bool


@dataclass(frozen=True)
class Signer:
    """Whether a wallet with this key is connected."""

    public_key: str
    connected: bool
    connections: int
    members: Mapping[str, Any] = field(repr=False)


class Reader:
    """Reads members of an object, and names what is wrong with one."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ProtocolError(f"{where} is no object")
        self.members: dict[str, Any] = value
        self.where = where

    def fail(self, name: str, wanted: str) -> ProtocolError:
        return ProtocolError(f"{name!r} of {self.where} is {'not ' + wanted if name in self.members else 'missing'}")

    def has(self, name: str) -> bool:
        return name in self.members

    def text(self, name: str) -> str:
        value = self.members.get(name)
        if not isinstance(value, str):
            raise self.fail(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def optional_texts(self, name: str) -> Mapping[str, str]:
        if not self.has(name):
            return {}
        texts = self.object(name)
        return {key: texts.text(key) for key in texts.members}

    def uuid(self, name: str) -> str:
        value = self.text(name)
        if not is_uuid(value):
            raise self.fail(name, "a UUID")
        return value

    def call_id(self) -> str | None:
        value = self.optional_text("call_id")
        if value is not None and not _CALL_ID.fullmatch(value):
            raise self.fail("call_id", "1 to 128 visible ASCII characters")
        return value

    def count(self, name: str) -> int:
        value = self.members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fail(name, "a whole number from 0")
        return value

    def cursor(self) -> str | None:
        """It goes back into a URL, and is kept."""
        value = self.optional_text("next_cursor")
        if value is not None and _CURSOR.fullmatch(value) is None:
            raise self.fail("next_cursor", "at most 512 visible characters")
        return value

    def boolean(self, name: str) -> bool:
        value = self.members.get(name)
        if not isinstance(value, bool):
            raise self.fail(name, "true or false")
        return value

    def base64(self, name: str, length: int | None = None) -> bytes:
        value = decode_base64(self.text(name))
        if value is None or (length is not None and len(value) != length):
            raise self.fail(name, "canonical base64" + (f" of {length} bytes" if length else ""))
        return value

    def object(self, name: str) -> Reader:
        if not isinstance(self.members.get(name), dict):
            raise self.fail(name, "an object")
        return Reader(self.members[name], f"{name!r} of {self.where}")

    def public_key(self) -> str:
        self.base64("public_key", LENGTH)
        return self.text("public_key")

    def signature(self) -> bytes:
        return self.base64("signature", _SIGNATURE_LENGTH)

    def times(self) -> dict[str, int]:
        times = self.object("times")
        return {name: times.count(name) for name in times.members}

    def device(self) -> Device | None:
        if not self.has("device"):
            return None
        device = self.object("device")
        return Device(device.text("id"), device.text("label"))


def as_answers(value: object) -> list[Answer]:
    """What `POST /v1/send_to_sign` answers: a signature, a request as it stands, or several of these."""
    where = "the answer"
    reader = Reader(value, where)
    if not reader.has("requests"):
        return [as_request(value, where) if reader.has("state") else _as_answer(reader)]
    return [*_as_requests(reader, 1, MAX_BATCH)]


def as_batch_resource(value: object) -> BatchResource:
    reader = Reader(value, "the batch")
    state = reader.text("state")
    if state not in ("open", "ended"):
        raise reader.fail("state", "one that is known")
    return BatchResource(reader.uuid("batch_id"), state, _as_requests(reader, 1, MAX_BATCH), reader.members)


def as_page(value: object) -> tuple[list[Request], str | None]:
    """A part of a list, and where the next begins."""
    reader = Reader(value, "the page")
    return _as_requests(reader, 0, _MAX_AT_ONCE), reader.cursor()


def as_cancelled_all(value: object) -> CancelledAll:
    reader = Reader(value, "the answer")
    if reader.count("cancelled") > _MAX_AT_ONCE:
        raise reader.fail("cancelled", f"a whole number to {_MAX_AT_ONCE}")
    return CancelledAll(reader.count("cancelled"), reader.boolean("has_more"))


def _as_requests(reader: Reader, least: int, most: int) -> list[Request]:
    requests = reader.members.get("requests")
    if not isinstance(requests, list) or not least <= len(requests) <= most:
        raise reader.fail("requests", f"a list of {least} to {most}")
    return [as_request(request, f"request {index} of {reader.where}") for index, request in enumerate(requests)]


def _as_answer(reader: Reader) -> Answer:
    return Answer(signature=reader.signature(), **_common(reader))


def as_request(value: object, where: str = "the request") -> Request:
    reader = Reader(value, where)
    state = reader.text("state")
    if state not in OPEN_STATES and state not in END_STATES:
        raise reader.fail("state", "one that is known")
    common = _common(reader)
    failed = state in END_STATES and state != "signed"
    return Request(
        **common,
        signature=reader.signature() if state == "signed" else None,
        state=state,
        attempt=reader.count("attempt"),
        requester=reader.object("requester").text("name"),
        purpose=reader.optional_text("purpose"),
        reference=reader.optional_text("reference"),
        metadata=reader.optional_texts("metadata"),
        batch=_as_batch(reader.object("batch")) if reader.has("batch") else None,
        deliver_by_ms=reader.count("deliver_by_ms"),
        expires_at_ms=reader.count("expires_at_ms"),
        error=_as_end(reader.object("error"), common["request_id"]) if failed else None,
    )


def _common(reader: Reader) -> dict[str, Any]:
    return {
        "request_id": reader.uuid("request_id"),
        "public_key": reader.public_key(),
        "message": reader.base64("message"),
        "approved_by": reader.optional_text("approved_by"),
        "times": reader.times(),
        "device": reader.device(),
        "members": reader.members,
    }


def _as_batch(reader: Reader) -> Batch:
    return Batch(reader.uuid("id"), reader.count("index"), reader.count("size"))


def _as_end(reader: Reader, request_id: str) -> CountersignError:
    return error_of(_as_failure(reader, status=None, request_id=request_id, retry_after=None))


def as_problem(value: object, status: int, retry_after: float | None) -> CountersignError:
    reader = Reader(value, "the problem document")
    request_id = reader.uuid("request_id") if reader.has("request_id") else None
    failure = _as_failure(reader, status=status, request_id=request_id, retry_after=retry_after)
    if reader.has("replaced"):
        failure = replace(failure, replaced=as_request(reader.members["replaced"], "the replaced request"))
    return error_of(failure)


def _as_failure(reader: Reader, *, status: int | None, request_id: str | None, retry_after: float | None) -> Failure:
    return Failure(
        code=reader.text("code"),
        detail=reader.text("detail"),
        status=status,
        request_id=request_id,
        retry_after=retry_after,
        reject_code=reader.optional_text("reject_code"),
        reason=reader.optional_text("reason"),
        phase=reader.optional_text("phase"),
        call_id=reader.call_id(),
        errors=_as_field_errors(reader),
    )


def _as_field_errors(reader: Reader) -> tuple[FieldError, ...]:
    errors = reader.members.get("errors", [])
    if not isinstance(errors, list) or len(errors) > _MAX_ERRORS:
        raise reader.fail("errors", f"a list of up to {_MAX_ERRORS}")
    return tuple(_as_field_error(Reader(error, f"error {index}")) for index, error in enumerate(errors))


def _as_field_error(reader: Reader) -> FieldError:
    pointer, parameter, header = (reader.optional_text(name) for name in ("pointer", "parameter", "header"))
    return FieldError(pointer, parameter, reader.text("code"), reader.text("detail"), header)


def as_signer(value: object) -> Signer:
    reader = Reader(value, "the signer")
    return Signer(reader.public_key(), reader.boolean("connected"), reader.count("connections"), reader.members)
