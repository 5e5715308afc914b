"""Public keys in the spellings that the API takes."""

from __future__ import annotations

import re

from ._encoding import decode_base64, decode_base64url, encode_base64

LENGTH = 32
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DID_KEY = "did:key:z"
#: The multicodec of Ed25519's public keys.
_MULTICODEC = b"\xed\x01"
#: The longest spelling has 56 characters.
_MAX_SPELLING = 64

PublicKey = str | bytes


def spelled(public_key: PublicKey) -> str:
    """The key as text: as it was spelled, or in base64 where it was given in bytes."""
    if not readings(public_key):
        raise ValueError("public_key is 32 bytes, or their base64, base64url, hex, base58btc or did:key")
    return public_key if isinstance(public_key, str) else encode_base64(public_key)


def readings(public_key: PublicKey) -> list[bytes]:
    """The keys that it may stand for: more than one for a few texts that are both base64url and base58btc."""
    if isinstance(public_key, bytes):
        return [public_key] if len(public_key) == LENGTH else []
    if not isinstance(public_key, str):
        raise TypeError("public_key is a str or bytes")
    if len(public_key) > _MAX_SPELLING:
        return []
    if public_key.startswith(_DID_KEY):
        decoded = _decode_base58(public_key[len(_DID_KEY) :], len(_MULTICODEC) + LENGTH)
        return [decoded[2:]] if decoded and decoded.startswith(_MULTICODEC) else []
    if re.fullmatch("[0-9a-fA-F]{64}", public_key):
        return [bytes.fromhex(public_key)]
    unpadded = public_key[:-1] if len(public_key) % 4 == 0 and public_key.endswith("=") else public_key
    found = [decode_base64(public_key), decode_base64url(unpadded), _decode_base58(public_key, LENGTH)]
    return list(dict.fromkeys(key for key in found if key is not None and len(key) == LENGTH))


def _decode_base58(text: str, length: int) -> bytes | None:
    number = 0
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    decoded = bytes(zeros) + digits
    return decoded if len(decoded) == length else None
