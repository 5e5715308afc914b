"""Webhooks, verified as Standard Webhooks has it: over id, timestamp and body by Ed25519 (v1a), or by HMAC with a secret (v1)."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _ed25519
from ._encoding import decode_base64, parse_json
from ._errors import ProtocolError, UnknownKeyError, VerificationError
from ._jwks import JwkSet, signing_keys
from ._public_key import LENGTH
from ._requests import verify_answer
from ._wire import BatchResource, Reader, Request, as_batch_resource, as_request

_TOLERANCE_S = 300
#: While they are replaced there are several keys and secrets.
_MAX_SIGNATURES = 5
_PREFIX = "whpk_"
_SECRET_PREFIX = "whsec_"  # noqa: S105
_MIN_SECRET, _MAX_SECRET = 24, 64

#: Headers as frameworks have them: a mapping, with values that are texts or lists of them, or pairs of name and value.
WebhookHeaders = Mapping[str, Any] | Iterable[tuple[str, Any]]
#: A JWK set, or a key or a secret as libraries for Standard Webhooks want it (`whpk_…`, `whsec_…`), or several of these. One is enough.
WebhookKeys = JwkSet | str | Sequence[str]

#: The version of signatures that a key or a secret is for, and whether one over a message is by it.
_Verifier = tuple[str, Callable[[bytes, bytes], bool]]


@dataclass(frozen=True)
class WebhookEvent:
    """An event that the server has sent."""

    #: The same however often it is sent: what is known already may be passed over.
    webhook_id: str
    #: `request.ended`; or `batch.ended` in place of those of its requests, where the operator has the target told so.
    type: str
    #: When it happened (RFC 3339).
    timestamp: str
    #: The request, or the batch. A signature in it has been verified over the message beside it.
    data: Request | BatchResource


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
    differ and the message be under way, in seconds. Raises `UnknownKeyError` where no signature is by one of the keys
    and secrets, and `VerificationError` where a header is missing or there twice, or its time is not near.
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
    tried = [(verify, value) for wanted, verify in _verifiers(keys) for version, value in decoded if version == wanted]
    if not any(verify(message, value) for verify, value in tried):
        raise UnknownKeyError("the webhook does not hold: no signature verifies under the keys given")
    return _event(webhook_id, body)


def _event(webhook_id: str, body: bytes) -> WebhookEvent:
    try:
        value = parse_json(body)
    except ValueError as cause:
        raise ProtocolError("the webhook is no JSON") from cause
    reader = Reader(value, "the webhook")
    data: Request | BatchResource
    if reader.text("type") == "request.ended":
        data = as_request(reader.members.get("data"), "'data' of the webhook")
        requests = [data]
    elif reader.text("type") == "batch.ended":
        data = as_batch_resource(reader.members.get("data"))
        requests = data.requests
    else:
        raise ProtocolError(f"the webhook is of a type that is not known here: {reader.text('type')[:64]!r}")
    for request in requests:
        verify_answer(request)
    return WebhookEvent(webhook_id, reader.text("type"), reader.text("timestamp"), data)


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


def _signatures(text: str) -> list[tuple[str, bytes]]:
    """Those that can be read, with their versions. Where a header that was there twice has been joined with a comma, none is."""
    parts = [one.split(",") for one in text.split(" ")]
    if len(parts) > _MAX_SIGNATURES:
        raise _fail(f"webhook-signature has more than {_MAX_SIGNATURES} signatures")
    if any(len(one) != 2 for one in parts):  # noqa: PLR2004
        raise _fail("webhook-signature is not of the form version,signature")
    return [(version, signature) for version, value in parts if (signature := decode_base64(value)) is not None]


def _verifiers(keys: WebhookKeys) -> list[_Verifier]:
    if isinstance(keys, Mapping):
        return [_by_key(key) for key in signing_keys(keys).values()]
    texts = [keys] if isinstance(keys, str) else keys
    return [
        _by_secret(_secret(text)) if text.startswith(_SECRET_PREFIX) else _by_key(_public_key(text)) for text in texts
    ]


def _by_key(key: bytes) -> _Verifier:
    return "v1a", lambda message, signature: _ed25519.verify(key, message, signature)


def _by_secret(secret: bytes) -> _Verifier:
    return "v1", lambda message, signature: hmac.compare_digest(hmac.digest(secret, message, "sha256"), signature)


def _secret(text: str) -> bytes:
    secret = decode_base64(text[len(_SECRET_PREFIX) :])
    if secret is None or not _MIN_SECRET <= len(secret) <= _MAX_SECRET:
        raise ValueError(f"a webhook's secret is {_SECRET_PREFIX} and {_MIN_SECRET} to {_MAX_SECRET} bytes in base64")
    return secret


def _public_key(text: str) -> bytes:
    key = decode_base64(text[len(_PREFIX) :]) if text.startswith(_PREFIX) else None
    if key is None or len(key) != LENGTH:
        raise ValueError(f"a webhook's key is {_PREFIX} and {LENGTH} bytes in base64")
    return key


def _fail(why: str) -> VerificationError:
    return VerificationError(f"the webhook does not hold: {why}")
