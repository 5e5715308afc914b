"""A server that lies, or answers what makes no sense: each is caught, and the error names what was wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scripted import ID, KEY, SECRET, Pieces, Script, answer, request
from surface import Client, clients

import countersign
from countersign._encoding import encode_base64

OTHER = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def ask(kind: str, *replies: Any, **options: Any) -> Exception:
    script = Script(list(replies))
    with Client(kind, "http://one", **script.options(kind), **options) as client:
        with pytest.raises(countersign.CountersignError) as caught:
            client.send_to_sign(KEY, b"hello")
        return caught.value


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    "lie",
    [
        request(signature=encode_base64(SECRET.sign(b"hellp"))),
        request(signature=encode_base64(bytes(64))),
        request(message=b"Pay 1000 EUR"),
        request(public_key=OTHER),
        # The identity as key and commitment: it verifies over any message where nobody looks at the order.
        request(public_key=encode_base64(b"\1" + bytes(31)), signature=encode_base64(b"\1" + bytes(63))),
    ],
)
def test_a_lie_is_caught_however_it_is_told(kind: str, lie: dict[str, Any]) -> None:
    assert type(ask(kind, answer(lie, 202))) is countersign.VerificationError
    assert type(ask(kind, answer(request("queued"), 202), answer(lie))) is countersign.VerificationError
    plain = {name: lie[name] for name in ("request_id", "public_key", "message", "signature", "times")}
    assert type(ask(kind, answer(plain), durable=False)) is countersign.VerificationError


ATTACKER = Ed25519PrivateKey.from_private_bytes(b"8" * 32)


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    ("lie", "why"),
    [
        # Each signature holds for what stands beside it, so that only the comparison with what was asked finds it out.
        (
            request(
                public_key=encode_base64(ATTACKER.public_key().public_bytes_raw()),
                signature=encode_base64(ATTACKER.sign(b"hello")),
            ),
            "another key",
        ),
        (request(message=b"Pay 1000 EUR"), "another message"),
        # And here the signature is the right one, and what is said of it is not.
        (request(message=b"Pay 1000 EUR", signature=encode_base64(SECRET.sign(b"hello"))), "another message"),
    ],
)
def test_what_was_asked_is_what_an_answer_is_held_to(kind: str, lie: dict[str, Any], why: str) -> None:
    error = ask(kind, answer(lie, 202))
    assert type(error) is countersign.VerificationError
    assert why in str(error)
    opened = {**lie, "state": "queued"}
    script = Script([answer(opened, 202)])
    with (
        Client(kind, "http://one", **script.options(kind)) as client,
        pytest.raises(countersign.VerificationError, match=why),
    ):
        client.submit(KEY, b"hello")


@pytest.mark.parametrize("kind", clients)
def test_an_answer_that_only_drips_is_given_up(kind: str) -> None:
    def drip(_call: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/json"}, stream=Drip(script))

    script = Script([drip])
    with (
        Client(kind, "http://one", **script.options(kind), patience=0) as client,
        pytest.raises(countersign.NetworkError) as caught,
    ):
        client.get(ID)
    assert caught.value.sent
    assert script.now < 1_000 + 15 + 10


class Drip(Pieces):
    """A byte every ten seconds, by the test's clock, for a day."""

    def __init__(self, script: Script) -> None:
        super().__init__(b"")
        self._script = script

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(8_640):
            yield b" "
            self._script.now += 10


@pytest.mark.parametrize("kind", clients)
def test_a_batch_has_to_be_in_order_and_whole(kind: str) -> None:
    requests = [request(message=b"two"), request(message=b"one")]
    script = Script([answer({"requests": requests}, 202)])
    with Client(kind, "http://one", **script.options(kind)) as client:
        results = client.send_to_sign_batch(KEY, [b"one", b"two"])
        assert [type(result) for result in results] == [countersign.VerificationError] * 2
        with pytest.raises(countersign.ProtocolError, match="2 requests for 3"):
            client.send_to_sign_batch(KEY, [b"one", b"two", b"three"])


MUTATIONS: list[tuple[str, Any, str]] = [
    (name, value, name)
    for name, values in {
        "request_id": [None, 5, "x", "../etc", "e604cb6f-0ab1-426a-a80f-4234344b6dfe\n"],
        "public_key": [None, 5, "AA==", KEY[:-1], KEY.replace("=", "")],
        "message": [None, 5, "aGk", "a GVsbG8=", "aGVsbG9="],
        "signature": [None, 5, "AA=="],
        "state": [None, 5, "done", ["signed"]],
        "attempt": [None, "1", -1, True, 1.5],
        "times": [None, 5, {"queued_ms": "1"}, {"queued_ms": True}],
        "requester": [None, "x", {"name": 5}],
        "approved_by": [5, None],
        "device": [5, {"id": 1, "label": ""}],
        "batch": [5, {"id": "x", "index": 0, "size": 2}],
        "deliver_by_ms": ["1"],
    }.items()
    for value in values
]


@pytest.mark.parametrize(("name", "value", "named"), MUTATIONS)
def test_a_member_of_another_type_is_named(name: str, value: Any, named: str) -> None:
    for changed in ({**request(), name: value}, {k: v for k, v in request().items() if k != name}):
        # These may be left out, and without a state it is the answer of a call that waits.
        if name in {"approved_by", "device", "batch", "state"} and name not in changed:
            continue
        error = ask("sync", answer(changed, 202))
        assert type(error) is countersign.ProtocolError
        assert repr(named) in str(error)


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (httpx.Response(200, text="<html>", headers={"content-type": "text/html"}), "text/html"),
        (httpx.Response(200, text="{"), "not 'application/json'"),
        (httpx.Response(200, text="{", headers={"content-type": "application/json"}), "no JSON"),
        (httpx.Response(200, text='{"a":1,"a":2}', headers={"content-type": "application/json"}), "no JSON"),
        (httpx.Response(200, text='{"a":NaN}', headers={"content-type": "application/json"}), "no JSON"),
        (httpx.Response(200, text="9" * 5_000, headers={"content-type": "application/json"}), "no JSON"),
        (httpx.Response(200, text="[" * 200_000, headers={"content-type": "application/json"}), "no JSON"),
        (httpx.Response(200, content=b'"\xff"', headers={"content-type": "application/json"}), "no JSON"),
        (answer([]), "no object"),
        (answer({"requests": []}), "'requests'"),
        (answer({"requests": [request()] * 17}), "'requests'"),
        (answer({"requests": 5}), "'requests'"),
        (answer({"padding": "x" * (5 << 20)}), "longer"),
        (httpx.Response(200, content=b"", headers={"content-encoding": "br"}), "compressed"),
        (httpx.Response(302, headers={"location": "http://elsewhere/"}), "status 302"),
        (httpx.Response(404, text="not here"), "status 404"),
        (httpx.Response(400, text="[]", headers={"content-type": "application/problem+json"}), "no object"),
        (httpx.Response(400, text='{"code":5}', headers={"content-type": "application/problem+json"}), "'code'"),
    ],
)
def test_what_makes_no_sense_is_a_protocol_error(kind: str, reply: httpx.Response, why: str) -> None:
    error = ask(kind, reply)
    assert type(error) is countersign.ProtocolError
    assert why in str(error)


def refusal(**members: object) -> httpx.Response:
    body = {"code": "malformed", "detail": "as it is", **members}
    return httpx.Response(400, text=json.dumps(body), headers={"content-type": "application/problem+json"})


@pytest.mark.parametrize("kind", clients)
def test_an_error_says_what_is_wrong_with_which_field_and_what_the_log_calls_the_call(kind: str) -> None:
    errors = [
        {"pointer": "/messages/3", "code": "format", "detail": "no base64"},
        {"parameter": "state", "code": "of_later", "detail": "x", "more": 1},
        {"header": "Idempotency-Key", "code": "format", "detail": "no key"},
    ]
    error = ask(kind, refusal(call_id="order-1042~", errors=errors))
    assert isinstance(error, countersign.InvalidRequestError)
    assert (error.call_id, str(error)) == ("order-1042~", "malformed: as it is (call order-1042~)")
    assert error.errors == (
        countersign.FieldError("/messages/3", None, "format", "no base64"),
        countersign.FieldError(None, "state", "of_later", "x"),
        countersign.FieldError(None, None, "format", "no key", header="Idempotency-Key"),
    )
    unsaid = ask(kind, refusal())
    assert isinstance(unsaid, countersign.CountersignError)
    assert (unsaid.call_id, unsaid.errors, str(unsaid)) == (None, (), "malformed: as it is")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"call_id": "a\u001b[2J"}, "'call_id'"),
        ({"call_id": "x" * 129}, "'call_id'"),
        ({"call_id": "a\n"}, "'call_id'"),
        ({"errors": {}}, "'errors'"),
        ({"errors": [{"code": "type"}]}, "'detail' of error 0"),
        ({"errors": [{"pointer": 1, "code": "type", "detail": ""}]}, "'pointer' of error 0"),
        ({"errors": [{"header": [], "code": "type", "detail": ""}]}, "'header' of error 0"),
    ],
)
def test_what_an_error_says_is_bounded_and_parsed(members: dict[str, object], why: str) -> None:
    error = ask("sync", refusal(**members))
    assert type(error) is countersign.ProtocolError
    assert why in str(error)


def test_an_unknown_code_has_the_class_of_its_status() -> None:
    for status, kind in [(401, "Unauthorized"), (418, "Countersign"), (422, "InvalidRequest"), (500, "Unavailable")]:
        body = json.dumps({"code": "new", "detail": "of later"})
        error = ask(
            "sync",
            httpx.Response(status, text=body, headers={"content-type": "application/problem+json"}),
            patience=0,
        )
        assert type(error) is getattr(countersign, f"{kind}Error")
        assert error.code == "new"


def test_an_answer_about_another_request_is_refused() -> None:
    other = request("received", request_id="00000000-0000-4000-8000-000000000000")
    assert "another request" in str(ask("sync", answer(request("received"), 202), answer(other)))


@pytest.mark.parametrize(
    "content", [b"data:" + b"x" * (5 << 20), b"data:x\n" * (1 << 20), b"data:[]\n\n", b"data:{\n\n"]
)
@pytest.mark.parametrize("kind", clients)
def test_events_are_bounded_and_parsed(kind: str, content: bytes) -> None:
    script = Script([httpx.Response(200, content=content, headers={"content-type": "text/event-stream"})])
    with Client(kind, "http://one", **script.options(kind)) as client, pytest.raises(countersign.ProtocolError):
        list(client.follow(ID))


def test_a_call_that_makes_no_sense_is_refused_before_it_is_made() -> None:
    script = Script([answer({})])
    with Client("sync", "http://one", **script.options("sync")) as client:
        for call in (
            lambda: client.send_to_sign(KEY, "text"),
            lambda: client.send_to_sign(KEY, [b"one"]),
            lambda: client.send_to_sign_batch(KEY, b"one"),
            lambda: client.send_to_sign_batch(KEY, []),
            lambda: client.send_to_sign("no key", b"hello"),
            lambda: client.send_to_sign(KEY, b"hello", timout_ms=5),
            lambda: client.send_to_sign(KEY, b"hello", idempotency_key="a b"),
            lambda: client.send_to_sign(KEY, b"hello", timeout_ms=True),
            lambda: client.send_to_sign(KEY, b"hello", deadline=-1),
        ):
            with pytest.raises((TypeError, ValueError)):
                call()
    assert script.calls == []
    for url in ("ftp://x", "x", "http://user:pw@x", "http://x/?a", "http://x/#a", []):
        with pytest.raises(ValueError, match="server"):
            countersign.Countersign(url)
    with pytest.raises(ValueError, match="token") as caught:
        countersign.Countersign("http://x", "secret\n")
    assert "secret" not in str(caught.value)
