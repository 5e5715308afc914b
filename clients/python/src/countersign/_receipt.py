"""Receipts: a JWS in compact form (RFC 7515), verified with nothing but the server's keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _ed25519
from ._encoding import decode_base64, decode_base64url, encode_base64url, parse_json
from ._errors import ProtocolError, UnknownKeyError, VerificationError
from ._jwks import JwkSet, signing_keys
from ._public_key import PublicKey, readings
from ._wire import END_STATES, Device, Reader

_TYPE = "countersign-receipt+jwt"
#: No receipt is nearly as long.
_MAX_LENGTH = 65_536
_PARTS = 3
_DIGEST_LENGTH = 32


@dataclass(frozen=True)
class ReceiptClaims:
    """What the server attests about a request that has ended."""

    iss: str | None
    #: The request's id.
    jti: str
    #: When it ended, in seconds since the Unix epoch.
    iat: int
    #: In base64url.
    message_sha256: str
    public_key: str
    requester: str
    purpose: str | None
    state: str
    #: Why there is no signature.
    code: str | None
    reject_code: str | None
    signature: bytes | None
    approved_by: str | None
    device: Device | None
    times: Mapping[str, int]
    #: The claims as they came.
    members: Mapping[str, Any] = field(repr=False)


def verify_receipt(
    jws: str,
    jwks: JwkSet,
    *,
    message: bytes | None = None,
    public_key: PublicKey | None = None,
    request_id: str | None = None,
    issuer: str | None = None,
) -> ReceiptClaims:
    """What a receipt attests, after its signature has been verified.

    With `message`, its digest and the wallet's own signature are verified too; `public_key`, `request_id` and `issuer`
    have to be the receipt's where they are given. Raises `UnknownKeyError` where the set has not the key that it names,
    and `VerificationError` where it is no receipt, or one of something else, or a signature does not hold.
    """
    header, payload, signature = _parts(jws)
    key = signing_keys(jwks).get(_kid(header))
    if key is None:
        raise UnknownKeyError("the receipt names a key that is none of those given")
    if not _ed25519.verify(key, f"{header}.{payload}".encode("ascii"), _decode(signature, "signature")):
        raise _fail("its signature does not verify")
    try:
        claims = _claims(_json(payload, "payload"))
    except ProtocolError as cause:
        raise _fail(cause.detail) from cause
    if request_id is not None and claims.jti.lower() != request_id.lower():
        raise _fail("it is of another request")
    if issuer is not None and claims.iss != issuer:
        raise _fail("another server has issued it")
    if public_key is not None and decode_base64(claims.public_key) not in readings(public_key):
        raise _fail("it is of another public key")
    if message is not None:
        _check_message(claims, message)
    return claims


def _check_message(claims: ReceiptClaims, message: bytes) -> None:
    if encode_base64url(hashlib.sha256(message).digest()) != claims.message_sha256:
        raise _fail("it is of another message")
    key = decode_base64(claims.public_key) or b""
    if claims.signature is not None and not _ed25519.verify(key, message, claims.signature):
        raise _fail("the wallet's signature in it does not verify")


def _parts(jws: str) -> tuple[str, str, str]:
    if not isinstance(jws, str):
        raise TypeError("a receipt is a str")
    parts = jws.split(".") if len(jws) <= _MAX_LENGTH and jws.isascii() else []
    if len(parts) != _PARTS:
        raise _fail("it has not the three parts of a JWS in compact form")
    return parts[0], parts[1], parts[2]


def _kid(header: str) -> str:
    members = _json(header, "header")
    if not isinstance(members, dict):
        raise _fail("its header is no object")
    if members.get("alg") != "EdDSA":
        raise _fail("its alg is not EdDSA")
    if members.get("typ") != _TYPE:
        raise _fail(f"its typ is not {_TYPE}")
    # An extension that has to be understood (RFC 7515 §4.1.11).
    if "crit" in members:
        raise _fail("it has an extension (crit)")
    kid = members.get("kid")
    if not isinstance(kid, str):
        raise _fail("it names no key (kid)")
    return kid


def _claims(value: object) -> ReceiptClaims:
    reader = Reader(value, "the payload")
    state = reader.text("state")
    if state not in END_STATES:
        raise reader.fail("state", "an end")
    digest = decode_base64url(reader.text("message_sha256"))
    if digest is None or len(digest) != _DIGEST_LENGTH:
        raise reader.fail("message_sha256", "canonical base64url of a SHA-256")
    signed = state == "signed"
    return ReceiptClaims(
        iss=reader.optional_text("iss"),
        jti=reader.uuid("jti"),
        iat=reader.count("iat"),
        message_sha256=reader.text("message_sha256"),
        public_key=reader.public_key(),
        requester=reader.text("requester"),
        purpose=reader.optional_text("purpose"),
        state=state,
        code=None if signed else reader.text("code"),
        reject_code=reader.optional_text("reject_code"),
        signature=reader.signature() if signed else None,
        approved_by=reader.optional_text("approved_by"),
        device=reader.device(),
        times=reader.times(),
        members=reader.members,
    )


def _json(part: str, name: str) -> object:
    try:
        return parse_json(_decode(part, name))
    except ValueError as cause:
        raise _fail(f"its {name} is no JSON") from cause


def _decode(part: str, name: str) -> bytes:
    decoded = decode_base64url(part)
    if decoded is None:
        raise _fail(f"its {name} is no canonical base64url")
    return decoded


def _fail(why: str) -> VerificationError:
    return VerificationError(f"the receipt does not hold: {why}")
