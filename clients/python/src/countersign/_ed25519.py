"""Ed25519 (RFC 8032), as strictly as the server verifies: what is accepted here is accepted by every library."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_LENGTH = 32
SIGNATURE_LENGTH = 64
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_SIGN = 1 << 255
#: The y of a point of order 8; `_small_order` in the tests finds it anew.
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is one over the message under the key.

    A key or a commitment that is not canonical or of small order verifies nothing, nor does a scalar beyond the group's order.
    """
    if len(public_key) != KEY_LENGTH or len(signature) != SIGNATURE_LENGTH:
        return False
    if not (_is_strict_point(public_key) and _is_strict_point(signature[:KEY_LENGTH])):
        return False
    if int.from_bytes(signature[KEY_LENGTH:], "little") >= _ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_strict_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") % _SIGN
    return y < _P and y not in _SMALL_ORDER
