"""The server's keys, as a JWK set has them."""

from __future__ import annotations

from typing import Any, TypedDict

from ._encoding import decode_base64url
from ._errors import ProtocolError
from ._public_key import LENGTH
from ._wire import Reader

#: More than any number of servers that share a database.
_MAX_KEYS = 4_096


class JwkSet(TypedDict, total=False):
    """As it came from `/.well-known/jwks.json`."""

    keys: list[dict[str, Any]]
    webhook_public_key: str


def signing_keys(jwks: JwkSet) -> dict[str, bytes]:
    """The Ed25519 keys of the set by their names. Keys of other kinds are passed over (RFC 7517 §5)."""
    keys = Reader(jwks, "the JWK set").members.get("keys")
    if not isinstance(keys, list) or len(keys) > _MAX_KEYS:
        raise ProtocolError("'keys' of the JWK set is no list")
    found: dict[str, bytes] = {}
    for index, value in enumerate(keys):
        jwk = Reader(value, f"key {index} of the JWK set")
        if (jwk.members.get("kty"), jwk.members.get("crv")) != ("OKP", "Ed25519"):
            continue
        if jwk.members.get("use", "sig") != "sig" or jwk.members.get("alg", "EdDSA") != "EdDSA":
            continue
        key = decode_base64url(jwk.text("x"))
        if key is None or len(key) != LENGTH:
            raise jwk.fail("x", f"canonical base64url of {LENGTH} bytes")
        name = jwk.text("kid")
        if found.setdefault(name, key) != key:
            raise ProtocolError("two keys of the JWK set have the same kid")
    return found
