"""What is made again, when, and what is not: with a scripted server and a clock that the test holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import Server, Wallet
from scripted import ID, KEY, Script, answer, cutting_proxy, problem, request
from surface import Client, clients

import countersign

BROKEN = httpx.RemoteProtocolError("the peer closed")
REFUSED = httpx.ConnectError("refused")
ACCEPTED = answer(request("delivered"), 202)
SIGNED = answer(request())


@pytest.fixture(params=clients)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(kind: str, *replies: Any, durable: bool = True, **options: Any) -> tuple[Script, Any]:
    script = Script(list(replies))
    with Client(
        kind, ["http://one", "http://two"][: options.pop("servers", 1)], durable=durable, **script.options(kind)
    ) as client:
        try:
            return script, client.send_to_sign(KEY, b"hello", **options)
        except countersign.CountersignError as error:
            return script, error


@pytest.mark.parametrize(
    "failure",
    [
        BROKEN,
        REFUSED,
        httpx.ReadTimeout("slow"),
        httpx.Response(502, text="bad gateway"),
        httpx.Response(504, text="gateway timeout"),
        httpx.Response(503),
        problem(503, "draining"),
        problem(503, "storage_unavailable"),
        problem(429, "rate_limited"),
        problem(408, "request_timeout"),
    ],
)
def test_a_durable_call_is_made_again_under_its_key(kind: str, failure: Any) -> None:
    script, signed = run(kind, failure, failure, ACCEPTED, failure, SIGNED)
    assert isinstance(signed, countersign.Signed)
    assert script.made == ["POST /v1/send_to_sign"] * 3 + [f"GET /v1/requests/{ID}?wait=45"] * 2
    keys = {call.headers["idempotency-key"] for call in script.calls[:3]}
    assert len(keys) == 1
    assert script.slept == [0.1, 0.2, 0.1]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "requester_limit"),
        (429, "too_many_inflight"),
        (503, "overloaded"),
        (503, "draining"),
        (503, "storage_unavailable"),
        (503, "audit_unavailable"),
    ],
)
def test_a_refusal_that_says_no_time_is_met_with_pauses_that_grow(kind: str, status: int, code: str) -> None:
    refusal = problem(status, code)
    script, signed = run(kind, refusal, refusal, refusal, ACCEPTED, SIGNED)
    assert isinstance(signed, countersign.Signed)
    assert script.slept == [0.1, 0.2, 0.4]


def test_each_call_has_a_key_of_its_own(kind: str) -> None:
    keys = {run(kind, ACCEPTED, SIGNED)[0].calls[0].headers["idempotency-key"] for _ in range(3)}
    assert len(keys) == 3


def test_retry_after_is_heeded(kind: str) -> None:
    script, _ = run(kind, problem(429, "rate_limited", **{"retry-after": "7"}), ACCEPTED, SIGNED)
    assert script.slept == [7.1]
    script, error = run(kind, problem(503, "draining", **{"retry-after": "31"}))
    assert (type(error), error.retry_after, script.slept) == (countersign.UnavailableError, 31, [])
    script, _ = run(kind, problem(429, "rate_limited", **{"retry-after": "Wed, 21 Oct"}), ACCEPTED, SIGNED)
    assert script.slept == [0.1]


def test_patience_is_bounded_and_so_is_each_pause(kind: str) -> None:
    script, error = run(kind, REFUSED)
    assert (type(error), error.sent) == (countersign.NetworkError, False)
    assert 20 < sum(script.slept) <= 30
    assert max(script.slept) == 5
    _, error = run(kind, BROKEN)
    assert error.sent
    assert error.__cause__ is BROKEN
    _, error = run(kind, BROKEN, REFUSED)
    assert error.sent, "an earlier attempt may have been taken"


def test_the_next_server_is_called_at_once(kind: str) -> None:
    script, _ = run(kind, REFUSED, ACCEPTED, SIGNED, servers=2)
    assert ([call.url.host for call in script.calls], script.slept) == (["one", "two", "two"], [])
    script, _ = run(kind, REFUSED, REFUSED, ACCEPTED, SIGNED, servers=2)
    assert script.slept == [0.1]


def test_a_call_that_is_not_durable_is_made_again_only_where_nobody_was_asked(kind: str) -> None:
    again = (REFUSED, problem(429, "rate_limited"), problem(503, "overloaded"))
    for failure in again:
        script, signed = run(kind, failure, SIGNED, durable=False)
        assert isinstance(signed, countersign.Signed)
        assert "idempotency-key" not in script.calls[0].headers
    once = (BROKEN, httpx.Response(502), httpx.Response(503), problem(503, "draining"), problem(504, "timeout"))
    for failure in once:
        script, error = run(kind, failure, SIGNED, durable=False)
        assert isinstance(error, countersign.CountersignError)
        assert len(script.calls) == 1


def test_no_store_is_remembered_and_asked_for_again(kind: str) -> None:
    script = Script([problem(501, "no_store"), SIGNED])
    with Client(kind, "http://one", **script.options(kind)) as client:
        client.send_to_sign(KEY, b"hello")
        client.send_to_sign(KEY, b"hello")
        assert ["idempotency-key" in call.headers for call in script.calls] == [True, False, False]
        script.now += 601
        client.send_to_sign(KEY, b"hello")
        assert "idempotency-key" in script.calls[3].headers


def test_after_a_call_that_may_have_been_taken_no_second_question_is_asked(kind: str) -> None:
    script, error = run(kind, BROKEN, problem(501, "no_store"), SIGNED)
    assert (type(error), error.sent, len(script.calls)) == (countersign.NetworkError, True, 2)


def test_an_end_is_never_retried(kind: str) -> None:
    for status, code in [(502, "signer_disconnected"), (504, "timeout"), (502, "invalid_signature"), (403, "rejected")]:
        script, error = run(kind, problem(status, code))
        assert (error.code, len(script.calls)) == (code, 1)


def test_a_deadline_withdraws_what_may_have_been_taken(kind: str) -> None:
    def late(call: httpx.Request) -> httpx.Response:
        script.now += 10
        raise BROKEN

    script = Script([late, ACCEPTED, answer(request("cancelled", error={"code": "cancelled", "detail": ""}))])
    with Client(kind, "http://one", **script.options(kind)) as client, pytest.raises(countersign.DeadlineError):
        client.send_to_sign(KEY, b"hello", deadline=5)
    assert script.made == ["POST /v1/send_to_sign"] * 2 + [f"DELETE /v1/requests/{ID}"]
    assert len({call.headers["idempotency-key"] for call in script.calls[:2]}) == 1


def test_a_deadline_is_one_while_the_server_is_away(kind: str) -> None:
    script, error = run(kind, ACCEPTED, REFUSED, deadline=5)
    assert (type(error), error.request_id) == (countersign.DeadlineError, ID)
    waited = [call.method for call in script.calls].index("DELETE") - 2
    assert 3 < sum(script.slept[:waited]) <= 5
    assert sum(script.slept) <= 10


def test_a_server_that_does_not_wait_is_not_asked_in_a_circle(kind: str) -> None:
    script, error = run(kind, ACCEPTED, answer(request("received")), deadline=20)
    assert isinstance(error, countersign.DeadlineError)
    assert len(script.calls) < 30


def test_events_are_deduplicated_over_connections(kind: str) -> None:
    def events(*states: str, tail: bytes = b"") -> httpx.Response:
        told = "".join(f"event:{state}\r\ndata: {json.dumps(request(state))}\r\n\r\n:\r\n" for state in states)
        return httpx.Response(200, content=told.encode() + tail, headers={"content-type": "text/event-stream"})

    draining = b'event:problem\ndata:{"code":"draining","detail":""}\n\n'
    script = Script(
        [
            events("queued", "delivered"),
            REFUSED,
            events("delivered", tail=b"event:recei"),
            events("delivered", "received", tail=draining),
            events("received", "signed", "queued"),
        ]
    )
    with Client(kind, "http://one", **script.options(kind)) as client:
        states = [one.state for one in client.follow(ID)]
    assert states == ["queued", "delivered", "received", "signed"]
    assert len(script.calls) == 5


def test_a_stream_that_is_always_empty_is_given_up(kind: str) -> None:
    script = Script([httpx.Response(200, content=b":\n", headers={"content-type": "text/event-stream"})])
    with Client(kind, "http://one", **script.options(kind)) as client, pytest.raises(countersign.NetworkError):
        list(client.follow(ID))
    assert len(script.calls) < 20


def test_a_connection_cut_after_the_call_was_sent_asks_once(
    kind: str, server: Server, start_wallet: Callable[..., Wallet]
) -> None:
    wallet = start_wallet(server)
    with cutting_proxy(server.listen, cuts=2) as url, Client(kind, url) as client:
        signed = client.send_to_sign(KEY_OF_WALLET, b"hello")
    asked = [event["request_id"] for event in wallet.rest() if event["event"] == "asked"]
    assert asked == [signed.request_id]


KEY_OF_WALLET = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
