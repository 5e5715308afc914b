"""Webhooks, verified as Standard Webhooks has it: Ed25519 (v1a) over id, timestamp and body."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _ed25519
from ._encoding import decode_base64, parse_json
from ._errors import ProtocolError, UnknownKeyError, VerificationError
from ._jwks import JwkSet, signing_keys
from ._public_key import LENGTH
from ._requests import verify_answer
from ._wire import Reader, Request, as_request

_TOLERANCE_S = 300
#: While a key is replaced there are two.
_MAX_SIGNATURES = 5
_PREFIX = "whpk_"

#: Headers as frameworks have them: a mapping, with values that are texts or lists of them, or pairs of name and value.
WebhookHeaders = Mapping[str, Any] | Iterable[tuple[str, Any]]
#: A JWK set, or a key as libraries for Standard Webhooks want it (`whpk_…`), or several of these.
WebhookKeys = JwkSet | str | Sequence[str]


@dataclass(frozen=True)
class WebhookEvent:
    """An event that the server has sent."""

    #: The same however often it is sent: what is known already may be passed over.
    webhook_id: str
    type: str
    #: When it happened (RFC 3339).
    timestamp: str
    #: A signature in it has been verified over the message in it.
    data: Request


def verify_webhook(
    body: bytes,
    headers: WebhookHeaders,
    keys: WebhookKeys,
    *,
    tolerance: float = _TOLERANCE_S,
    now: float | None = None,
) -> WebhookEvent:
    """The event in a webhook's body, after its signature has been verified.

    `body` is wanted as it came, in bytes that nobody has parsed and written again. `tolerance` is how far the clocks may
    differ and the message be under way, in seconds. Raises `UnknownKeyError` where no signature is by one of the keys,
    and `VerificationError` where a header is missing or there twice, or its time is not near.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("a webhook's body is wanted as it came, in bytes, and not parsed")
    body = bytes(body)
    webhook_id, timestamp, signatures = _only(headers)
    if not re.fullmatch("[A-Za-z0-9_-]{1,256}", webhook_id):
        raise _fail("webhook-id is no id")
    if not re.fullmatch("[0-9]{1,12}", timestamp):
        raise _fail("webhook-timestamp is no time in seconds")
    if not abs((time.time() if now is None else now) - int(timestamp)) <= tolerance:
        raise _fail("webhook-timestamp is too far from now")
    message = f"{webhook_id}.{timestamp}.".encode("ascii") + body
    decoded = _signatures(signatures)
    if not any(_ed25519.verify(key, message, signature) for key in _public_keys(keys) for signature in decoded):
        raise UnknownKeyError("the webhook does not hold: no signature verifies under the keys given")
    return _event(webhook_id, body)


def _event(webhook_id: str, body: bytes) -> WebhookEvent:
    try:
        value = parse_json(body)
    except ValueError as cause:
        raise ProtocolError("the webhook is no JSON") from cause
    reader = Reader(value, "the webhook")
    if reader.text("type") != "request.ended":
        raise ProtocolError(f"the webhook is of a type that is not known here: {reader.text('type')[:64]!r}")
    request = as_request(reader.members.get("data"), "'data' of the webhook")
    verify_answer(request)
    return WebhookEvent(webhook_id, reader.text("type"), reader.text("timestamp"), request)


def _only(headers: WebhookHeaders) -> tuple[str, str, str]:
    """The values of the three headers, each of which is there once, in whichever case."""
    pairs = headers.items() if isinstance(headers, Mapping) else _pairs(headers)
    found: dict[str, list[object]] = {}
    for name, value in pairs:
        values = value if isinstance(value, list | tuple) else [value]
        found.setdefault(str(name).lower(), []).extend(values)
    return _one(found, "webhook-id"), _one(found, "webhook-timestamp"), _one(found, "webhook-signature")


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """Of frameworks whose headers are no `Mapping`, but have the method of one."""
    items = getattr(headers, "items", None)
    return items() if items is not None else headers  # type: ignore[no-any-return]


def _one(found: dict[str, list[object]], name: str) -> str:
    values = found.get(name, [])
    if not values or not isinstance(values[0], str):
        raise _fail(f"there is no {name}")
    if len(values) > 1:
        raise _fail(f"{name} is there twice")
    return values[0]


def _signatures(text: str) -> list[bytes]:
    """Those of version v1a. Where a header that was there twice has been joined with a comma, nothing of it is taken."""
    parts = [one.split(",") for one in text.split(" ")]
    if len(parts) > _MAX_SIGNATURES:
        raise _fail(f"webhook-signature has more than {_MAX_SIGNATURES} signatures")
    if any(len(one) != 2 for one in parts):  # noqa: PLR2004
        raise _fail("webhook-signature is not of the form v1a,signature")
    return [
        signature for version, value in parts if version == "v1a" and (signature := decode_base64(value)) is not None
    ]


def _public_keys(keys: WebhookKeys) -> list[bytes]:
    if isinstance(keys, Mapping):
        return list(signing_keys(keys).values())
    return [_public_key(text) for text in ([keys] if isinstance(keys, str) else keys)]


def _public_key(text: str) -> bytes:
    key = decode_base64(text[len(_PREFIX) :]) if text.startswith(_PREFIX) else None
    if key is None or len(key) != LENGTH:
        raise ValueError(f"a webhook's key is {_PREFIX} and {LENGTH} bytes in base64")
    return key


def _fail(why: str) -> VerificationError:
    return VerificationError(f"the webhook does not hold: {why}")
