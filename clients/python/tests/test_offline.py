"""Receipts, webhooks, keys and signatures, and that whatever is changed in them is noticed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from conftest import ROOT
from scripted import ID, JWKS, KEY, RAW_KEY, SECRET, Script, answer, request
from surface import Client, clients

import countersign
from countersign import _ed25519
from countersign._encoding import decode_base64, decode_base64url, encode_base64, encode_base64url, parse_json
from countersign._public_key import readings

TIME = 1_795_411_632
CLAIMS: dict[str, Any] = {
    "iss": "http://one",
    "jti": ID,
    "iat": TIME,
    "message_sha256": encode_base64url(hashlib.sha256(b"hello").digest()),
    "public_key": KEY,
    "requester": "local backend",
    "state": "signed",
    "signature": encode_base64(SECRET.sign(b"hello")),
    "times": {"queued_ms": 1},
}
HEADER = {"alg": "EdDSA", "kid": "k1", "typ": "countersign-receipt+jwt"}


def jws(claims: object = CLAIMS, header: object = HEADER) -> str:
    signed = ".".join(encode_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encode_base64url(SECRET.sign(signed.encode()))}"


def verify(text: str, keys: Any = JWKS, **expected: Any) -> countersign.ReceiptClaims:
    return countersign.verify_receipt(text, keys, **expected)


def test_a_receipt_is_verified() -> None:
    claims = verify(jws(), message=b"hello", public_key=RAW_KEY.hex(), request_id=ID.upper(), issuer="http://one")
    assert (claims.state, claims.jti, claims.requester) == ("signed", ID, "local backend")
    unsigned = {name: value for name, value in CLAIMS.items() if name != "signature"}
    assert verify(jws({**unsigned, "state": "expired", "code": "timeout"}), message=b"hello").code == "timeout"


def test_the_golden_receipt_of_the_server_is_verified() -> None:
    text = (ROOT / "server/src/store/golden_receipt.txt").read_text().strip()
    header, claims, _ = text.split(".")
    assert parse_json(decode_base64url(header) or b"")["typ"] == HEADER["typ"]
    kid = parse_json(decode_base64url(header) or b"")["kid"]
    with pytest.raises(countersign.UnknownKeyError):
        verify(text)
    with pytest.raises(countersign.VerificationError, match="does not verify"):
        verify(text, {"keys": [{**JWKS["keys"][0], "kid": kid}]})
    assert parse_json(decode_base64url(claims) or b"")["state"] == "signed"


def test_no_character_of_a_receipt_may_be_changed() -> None:
    text = jws()
    for at in range(len(text)):
        for other in ("A", "B", ".", "=", "\n", "é"):
            if text[at] != other:
                with pytest.raises(countersign.VerificationError):
                    verify(text[:at] + other + text[at + 1 :], message=b"hello")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({**HEADER, "alg": "none"}, "alg"),
        ({**HEADER, "alg": "HS256"}, "alg"),
        ({**HEADER, "typ": "JWT"}, "typ"),
        ({**HEADER, "crit": ["b64"]}, "crit"),
        ({**HEADER, "kid": 5}, "kid"),
        ([], "object"),
    ],
)
def test_a_header_of_another_kind_is_refused(header: object, why: str) -> None:
    with pytest.raises(countersign.VerificationError, match=why):
        verify(jws(header=header))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"state": "open"}, "state"),
        ({"state": "expired"}, "code"),
        ({"signature": "AA=="}, "signature"),
        ({"signature": encode_base64(SECRET.sign(b"other"))}, "wallet's signature"),
        ({"message_sha256": "AA"}, "message_sha256"),
        ({"iat": "1"}, "iat"),
        ({"jti": "x"}, "jti"),
        ({"times": None}, "times"),
        ({"public_key": "x"}, "public_key"),
    ],
)
def test_claims_of_another_form_are_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(countersign.VerificationError, match=why):
        verify(jws({**CLAIMS, **changed}), message=b"hello")


def test_a_receipt_of_something_else_is_refused() -> None:
    other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    for expected in ({"message": b"bye"}, {"public_key": other}, {"request_id": "x"}, {"issuer": "http://two"}):
        with pytest.raises(countersign.VerificationError):
            verify(jws(), **expected)
    with pytest.raises(countersign.UnknownKeyError):
        verify(jws(header={**HEADER, "kid": "k2"}))


def webhook(body: bytes, key: Any = SECRET, time: int = TIME, **changed: str) -> dict[str, str]:
    signature = encode_base64(key.sign(f"evt_{ID}.{time}.".encode() + body))
    headers = {"Webhook-Id": f"evt_{ID}", "Webhook-Timestamp": str(time), "Webhook-Signature": f"v1a,{signature}"}
    return headers | changed


BODY = json.dumps({"type": "request.ended", "timestamp": "2026-11-23T05:27:12.116Z", "data": request()}).encode()


def hook(headers: Any, body: bytes = BODY, keys: Any = JWKS, **options: Any) -> countersign.WebhookEvent:
    return countersign.verify_webhook(body, headers, keys, **{"now": TIME, **options})


def test_a_webhook_is_verified_in_whichever_form_headers_come() -> None:
    headers = webhook(BODY)
    other = encode_base64(bytes(64))
    forms: list[Any] = [
        headers,
        list(headers.items()),
        {name.lower(): [value] for name, value in headers.items()},
        headers | {"Webhook-Signature": f"v1a,{other} v1,abc {headers['Webhook-Signature']}"},
    ]
    for form in forms:
        event = hook(form)
        assert (event.webhook_id, event.data.state, event.data.message) == (f"evt_{ID}", "signed", b"hello")
    for keys in (f"whpk_{KEY}", [f"whpk_{encode_base64(bytes(31) + bytes([9]))}", f"whpk_{KEY}"]):
        assert hook(headers, keys=keys).type == "request.ended"


def by_secret(secret: bytes, body: bytes = BODY) -> str:
    return "v1," + encode_base64(hmac.digest(secret, f"evt_{ID}.{TIME}.".encode() + body, "sha256"))


def test_a_webhook_is_verified_by_a_secret_and_what_is_given_decides_by_what() -> None:
    headers = webhook(BODY)
    by_key = headers["Webhook-Signature"]
    old, new, other = b"o" * 24, b"n" * 32, b"x" * 64
    text = {secret: f"whsec_{encode_base64(secret)}" for secret in (old, new, other)}
    several = f"{by_key} {by_secret(new)} {by_secret(old)}"
    good: list[tuple[str, Any]] = [
        (by_secret(old), text[old]),
        (by_secret(new), [text[old], text[new]]),
        (several, text[old]),
        (several, text[new]),
        (several, [text[other], f"whpk_{KEY}"]),
        (several, JWKS),
        (by_secret(other), text[other]),
    ]
    for signature, keys in good:
        assert hook(headers | {"Webhook-Signature": signature}, keys=keys).webhook_id == f"evt_{ID}"
    public = SECRET.public_key().public_bytes_raw()
    bad: list[tuple[str, Any]] = [
        (by_secret(old), text[new]),
        (by_secret(old), [text[new], f"whpk_{KEY}"]),
        (by_secret(old), JWKS),
        (by_key, text[old]),
        (by_secret(old).replace("v1,", "v1a,"), text[old]),
        (by_key.replace("v1a,", "v1,"), f"whpk_{KEY}"),
        (by_secret(old, b"x"), text[old]),
        (by_secret(public), f"whpk_{KEY}"),
    ]
    for signature, keys in bad:
        with pytest.raises(countersign.UnknownKeyError):
            hook(headers | {"Webhook-Signature": signature}, keys=keys)
    for wrong in ("whsec_", f"whsec_{encode_base64(bytes(23))}", f"whsec_{encode_base64(bytes(65))}", text[old][:-1]):
        with pytest.raises(ValueError, match="24 to 64 bytes") as raised:
            hook(headers, keys=wrong)
        assert wrong == "whsec_" or wrong not in str(raised.value)


def test_no_byte_of_a_webhook_may_be_changed() -> None:
    headers = webhook(BODY)
    for at in range(0, len(BODY), 7):
        with pytest.raises(countersign.UnknownKeyError):
            hook(headers, BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :])
    for name, value in headers.items():
        for at in range(len(value)):
            with pytest.raises(countersign.VerificationError):
                hook(headers | {name: value[:at] + ("1" if value[at] != "1" else "2") + value[at + 1 :]})


def test_a_webhook_has_to_be_of_now() -> None:
    for time in (TIME - 300, TIME + 300):
        assert hook(webhook(BODY, time=time))
    for time in (TIME - 301, TIME + 301):
        with pytest.raises(countersign.VerificationError, match="too far"):
            hook(webhook(BODY, time=time))
    assert hook(webhook(BODY, time=TIME - 301), tolerance=302)
    with pytest.raises(countersign.VerificationError, match="too far"):
        hook(webhook(BODY), tolerance=float("nan"))


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_each_header_is_there_once(name: str) -> None:
    headers = webhook(BODY)
    pairs = list(headers.items())
    without = [(one, value) for one, value in pairs if one != name]
    for form in (
        without,
        [*pairs, (name.upper(), headers[name])],
        headers | {name: [headers[name], headers[name]]},
        headers | {name: f"{headers[name]}, {headers[name]}"},
        headers | {name: None},
        headers | {name: ""},
    ):
        with pytest.raises(countersign.VerificationError):
            hook(form)


def test_of_many_signatures_none_is_tried() -> None:
    headers = webhook(BODY)
    with pytest.raises(countersign.VerificationError, match="more than 5"):
        hook(headers | {"Webhook-Signature": " ".join([headers["Webhook-Signature"]] * 6)})


def test_what_is_signed_and_makes_no_sense_is_named() -> None:
    for body, why in [(b"{", "JSON"), (b"[]", "object"), (b'{"type":"x"}', "type"), (b'{"type":5}', "'type'")]:
        with pytest.raises(countersign.ProtocolError, match=why):
            hook(webhook(body), body)
    lie = json.loads(BODY)
    lie["data"]["signature"] = encode_base64(bytes(64))
    body = json.dumps(lie).encode()
    with pytest.raises(countersign.VerificationError, match="over the message"):
        hook(webhook(body), body)
    with pytest.raises(TypeError):
        hook(webhook(BODY), json.loads(BODY))


@pytest.mark.parametrize("kind", clients)
def test_keys_are_fetched_once_and_anew_for_one_that_is_unknown(kind: str) -> None:
    jwk_set = {"content-type": "application/jwk-set+json"}
    old = {"keys": [{**JWKS["keys"][0], "kid": "k0", "x": encode_base64url(bytes(31) + b"\x09")}]}
    script = Script([answer(old, **jwk_set), answer(JWKS, **jwk_set)])
    with Client(kind, "http://one", **script.options(kind), time=lambda: TIME) as client:
        for _ in range(3):
            with pytest.raises(countersign.UnknownKeyError):
                client.verify_webhook(BODY, webhook(BODY))
        assert len(script.calls) == 1, "forged ones have them fetched once a minute"
        script.now += 60
        assert client.verify_webhook(BODY, webhook(BODY)).data.state == "signed"
        assert client.verify_receipt(jws(), message=b"hello").state == "signed"
        assert len(script.calls) == 2
        script.now += 3_600
        script.replies.append(ConnectionRefused)
        assert client.verify_receipt(jws()).state == "signed", "keys that are kept outlast an outage"


def ConnectionRefused(call: Any) -> Any:  # noqa: N802
    import httpx

    raise httpx.ConnectError("refused")


def test_keys_of_small_order_are_those_of_the_curve() -> None:
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    root = next(root for root in _roots((1 + d) % p, p))
    squares = [(-1 + root) * pow(d, -1, p) % p, (-1 - root) * pow(d, -1, p) % p]
    eighth = {y for square in squares for y in _roots(square, p)}
    assert eighth | {0, 1, p - 1} == _ed25519._SMALL_ORDER


def _roots(square: int, p: int) -> list[int]:
    root = pow(square, (p + 3) // 8, p)
    if root * root % p != square:
        root = root * pow(2, (p - 1) // 4, p) % p
    return [root, p - root] if root * root % p == square else []


def test_the_vectors_that_the_protocol_refuses_verify_nothing() -> None:
    refused = json.loads((ROOT / "protocol/vectors/refused.json").read_text())
    small = [one for one in refused["public_keys"] if one["why"] in {"small_order", "not_canonical"}]
    assert len(small) >= 8
    for one in small:
        key = decode_base64(one["public_key"]) or b""
        assert not _ed25519.verify(key, b"hello", b"\1" + bytes(63))
        assert not _ed25519._is_strict_point(key)


def test_a_signature_has_one_form() -> None:
    signature = SECRET.sign(b"hello")
    assert _ed25519.verify(RAW_KEY, b"hello", signature)
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = int.from_bytes(signature[32:], "little") + order
    assert not _ed25519.verify(RAW_KEY, b"hello", signature[:32] + malleable.to_bytes(32, "little"))
    for at in range(64):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not _ed25519.verify(RAW_KEY, b"hello", bytes(changed))
    assert not _ed25519.verify(RAW_KEY, b"hello", signature + b"\0")


def test_spellings_of_a_key() -> None:
    text = (ROOT / "docs/http-api.md").read_text()
    table = text[text.index("| spelling | the same key") :].split("\n\n")[0]
    spellings = [line.split("`")[-2] for line in table.splitlines()[2:]]
    key = bytes.fromhex(spellings[2])
    assert len(spellings) == 5
    for spelling in [*spellings, spellings[1] + "="]:
        assert key in readings(spelling)
    for wrong in ("", "0x" + key.hex(), key.hex()[:-1], "did:key:z6Mk", "l" * 44, "1" * 10_000, spellings[0] + "\n"):
        assert readings(wrong) == []
    assert readings(bytes(31)) == []


def test_both_clients_have_the_same_methods() -> None:
    import inspect

    for one, other in (
        (countersign.Countersign, countersign.AsyncCountersign),
        (countersign.Submitted, countersign.AsyncSubmitted),
    ):
        names = {name for name in dir(one) if not name.startswith("_")}
        assert names == {name for name in dir(other) if not name.startswith("_")}
        for name in names - {"request_id"}:
            parameters = [
                [(p.name, p.kind, p.default) for p in inspect.signature(getattr(cls, name)).parameters.values()]
                for cls in (one, other)
            ]
            assert parameters[0] == parameters[1], name
