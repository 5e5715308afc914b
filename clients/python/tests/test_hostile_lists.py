"""Lists, batches and withdrawals of several, from servers that lie about them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scripted import KEY, RAW_KEY, SECRET, Pieces, Script, answer, problem, request
from surface import Client, clients

import countersign
from countersign._encoding import encode_base64

OTHER_KEY = encode_base64(Ed25519PrivateKey.from_private_bytes(b"8" * 32).public_key().public_bytes_raw())
BATCH = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a"
FORGED = {"signature": encode_base64(SECRET.sign(b"something else"))}
ENDLESS = 10_000


def id_of(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


def entry(number: int, state: str = "signed", **members: Any) -> dict[str, Any]:
    """A request as a list has it; the higher its number, the newer."""
    return request(state, **{"request_id": id_of(number), **members})


def page(numbers: list[int], cursor: Any = None, **members: Any) -> dict[str, Any]:
    return {
        "requests": [entry(number, **members) for number in numbers],
        **({} if cursor is None else {"next_cursor": cursor}),
    }


def member(index: Any, state: str = "signed", size: int = 2, **members: Any) -> dict[str, Any]:
    place = {"id": BATCH, "index": index, "size": size}
    number = index + 1 if isinstance(index, int) else 1
    return entry(number, state, **{"batch": place, **members})


def batch_of(*requests: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"batch_id": BATCH, "state": "ended", "requests": list(requests), **members}


def call(kind: str, script: Script, name: str) -> Any:
    with Client(kind, "http://one", **script.options(kind)) as client:
        if name == "list":
            return list(client.list())
        if name == "cancel_all":
            return client.cancel_all(reference="x")
        return getattr(client, name)(BATCH)


def failure(kind: str, name: str, reply: Any) -> countersign.CountersignError:
    script = Script([reply])
    with pytest.raises(countersign.CountersignError) as caught:
        call(kind, script, name)
    assert len(script.calls) == 1
    return caught.value


def walked(script: Script, kind: str = "sync", **options: Any) -> tuple[list[str], Exception | None]:
    """The ids that were told, and the error that ended it."""
    ids: list[str] = []
    with Client(kind, "http://one", **script.options(kind)) as client:
        try:
            # One by one, so that what was told before an error is known.
            ids.extend(one.request_id for one in client.list(**options))
        except countersign.CountersignError as error:
            return ids, error
    return ids, None


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize("name", ["list", "batch", "cancel_batch", "cancel_all"])
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (httpx.Response(200, text='{"requests":', headers=JSON), "no JSON"),
        (httpx.Response(200, text="", headers=JSON), "no JSON"),
        (httpx.Response(200, text="[" * 200_000, headers=JSON), "no JSON"),
        (httpx.Response(200, content=b'{"\xff"', headers=JSON), "no JSON"),
        (httpx.Response(200, text="<html>", headers={"content-type": "text/html"}), "text/html"),
        (httpx.Response(204), "not 'application/json'"),
        (answer(None), "no object"),
        (answer([]), "no object"),
        (answer({}), "missing"),
        (answer({"padding": "x" * (5 << 20)}), "longer"),
    ],
)
def test_what_makes_no_sense_is_a_protocol_error(kind: str, name: str, reply: httpx.Response, why: str) -> None:
    error = failure(kind, name, reply)
    assert type(error) is countersign.ProtocolError
    assert why in str(error)


@pytest.mark.parametrize("kind", clients)
def test_an_honest_list_is_walked_to_its_end(kind: str) -> None:
    script = Script([answer(page([9, 8], "a+b")), answer(page([], "c")), answer(page([7])), answer(page([6]))])
    ids, error = walked(script, kind, public_key=KEY, state="ended", page_size=2)
    assert (ids, error) == ([id_of(9), id_of(8), id_of(7)], None)
    asked = [call.url.params for call in script.calls]
    assert [query.get("cursor") for query in asked] == [None, "a+b", "c"]
    assert {(query["public_key"], query["limit"]) for query in asked} == {(KEY, "2")}


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    ("pages", "told", "calls", "why"),
    [
        # Cursors that come again, with what comes again.
        ([page([9, 8], "c")], [9, 8], 2, "again, or out of its order"),
        ([page([9], "a"), page([8], "b"), page([9], "a")], [9, 8], 3, "again, or out of its order"),
        ([page([9], "c"), page([9], "d")], [9], 2, "again, or out of its order"),
        ([page([], "c")], [], 2, "in a circle"),
        ([page([], "a"), page([], "b"), page([], "a")], [], 3, "in a circle"),
        ([page([9], "a"), page([], "a")], [9], 2, "in a circle"),
        # Orders.
        ([page([8, 9])], [], 1, "out of its order"),
        ([page([9, 9])], [], 1, "again"),
        ([page([7], "c"), page([8])], [7], 2, "out of its order"),
        ([page([9]), page([8])], [9], 1, None),
        # Sizes.
        ([page(list(range(900, 799, -1)))], [], 1, "'requests' of the page is not a list of 0 to 100"),
        ([page([], "c" * 513)], [], 1, "'next_cursor'"),
        # Types.
        ([page([], "")], [], 1, "'next_cursor'"),
        ([page([], "a\r\nb")], [], 1, "'next_cursor'"),
        ([page([], ["c"])], [], 1, "'next_cursor'"),
        ([{"requests": [], "next_cursor": None}], [], 1, "'next_cursor'"),
        ([{"next_cursor": "c"}], [], 1, "'requests' of the page is missing"),
        ([{"requests": {"0": entry(9)}}], [], 1, "'requests'"),
        ([{"requests": [entry(9), None]}], [], 1, "request 1 of the page is no object"),
        ([page([9], request_id=9)], [], 1, "'request_id' of request 0"),
        ([page([9], state="done")], [], 1, "'state' of request 0"),
        ([page([9], signature=None)], [], 1, "'signature' of request 0"),
    ],
)
def test_pages_that_cannot_be_those_of_a_list_end_the_walk(
    kind: str, pages: list[dict[str, Any]], told: list[int], calls: int, why: str | None
) -> None:
    script = Script([answer(one) for one in pages])
    ids, error = walked(script, kind)
    assert (ids, len(script.calls)) == ([id_of(number) for number in told], calls)
    if why is None:
        assert error is None
        return
    assert type(error) is countersign.ProtocolError
    assert why in str(error)


def test_an_endless_list_of_nothing_ends() -> None:
    def nothing(_call: httpx.Request) -> httpx.Response:
        body = json.dumps(page([], f"c{len(script.calls)}"))
        return httpx.Response(200, headers=JSON, stream=Pieces(body.encode()))

    script = Script([nothing])
    ids, error = walked(script)
    assert f"{ENDLESS} pages of the list in a row are empty" in str(error)
    assert (ids, len(script.calls)) == ([], ENDLESS + 1)


OPEN = {"state": "received"}
REJECTED = {"state": "rejected"}
PLACE = {"batch": {"id": BATCH, "index": 0, "size": 2}}


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    ("options", "lie", "truth"),
    [
        ({"public_key": KEY}, {**OPEN, "public_key": OTHER_KEY}, OPEN),
        ({"public_key": RAW_KEY.hex()}, {**OPEN, "public_key": OTHER_KEY}, {}),
        ({"public_key": RAW_KEY}, {**OPEN, "public_key": OTHER_KEY}, {}),
        ({"reference": "order-1"}, {"reference": "order-2"}, {"reference": "order-1"}),
        ({"reference": "order-1"}, {}, {"reference": "order-1"}),
        ({"batch_id": BATCH}, {"batch": {"id": id_of(1), "index": 0, "size": 2}}, PLACE),
        ({"batch_id": BATCH.upper()}, {}, PLACE),
        ({"state": "open"}, {}, OPEN),
        ({"state": "ended"}, OPEN, REJECTED),
        ({"state": "signed"}, REJECTED, {}),
        ({"state": "rejected"}, {}, REJECTED),
    ],
)
def test_a_list_has_what_was_asked_for_and_nobody_elses(
    kind: str, options: dict[str, Any], lie: dict[str, Any], truth: dict[str, Any]
) -> None:
    ids, error = walked(Script([answer({"requests": [entry(9, **truth), entry(8, **lie)]})]), kind, **options)
    assert type(error) is countersign.ProtocolError
    assert "not asked for" in str(error)
    assert (error.request_id, ids) == (id_of(8), [])
    assert walked(Script([answer({"requests": [entry(9, **truth)]})]), kind, **options) == ([id_of(9)], None)


def test_a_page_has_no_more_than_was_asked_for() -> None:
    ids, error = walked(Script([answer(page([9, 8, 7]))]), page_size=2)
    assert "3 requests, and 2 were asked for" in str(error)
    assert ids == []


@pytest.mark.parametrize("kind", clients)
def test_nothing_of_a_page_is_told_before_all_of_it_has_been_verified(kind: str) -> None:
    lie = {"requests": [entry(8), entry(7, **FORGED)]}
    ids, error = walked(Script([answer(page([9], "c")), answer(lie)]), kind)
    assert type(error) is countersign.VerificationError
    assert (error.request_id, ids) == (id_of(7), [id_of(9)])
    ids, error = walked(Script([answer(page([9], "c")), problem(401, "unauthorized")]), kind)
    assert type(error) is countersign.UnauthorizedError
    assert ids == [id_of(9)]


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(("name", "method"), [("batch", "GET"), ("cancel_batch", "DELETE")])
def test_an_honest_batch_is_told(kind: str, name: str, method: str) -> None:
    # Those that are kept no more are left out.
    for requests in ([member(0), member(1)], [member(1)]):
        script = Script([answer(batch_of(*requests))])
        found = call(kind, script, name)
        assert [one.batch.index for one in found.requests] == [one["batch"]["index"] for one in requests]
        assert script.made == [f"{method} /v1/batches/{BATCH}"]


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize("name", ["batch", "cancel_batch"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (batch_of(member(0), batch_id=id_of(1)), "another batch"),
        (batch_of(member(0), entry(2)), "not of it"),
        (batch_of(member(0), member(1, batch={"id": id_of(1), "index": 1, "size": 2})), "not of it"),
        (batch_of(member(0), member(1, "received", public_key=OTHER_KEY), state="open"), "not of it"),
        (batch_of(member(0), member(1, size=3)), "order of its messages"),
        (batch_of(member(1), member(0)), "order of its messages"),
        (batch_of(member(0), member(0)), "order of its messages"),
        (batch_of(member(0), member(2)), "order of its messages"),
        (batch_of(member(0), member(1, request_id=id_of(1))), "two messages have one request"),
        (batch_of(member(0), member(1, "received")), "said to be ended"),
        (batch_of(member(0), member(1), state="open"), "said to be open"),
        (batch_of(member(0), state="done"), "'state' of the batch"),
        (batch_of(member(0), batch_id=None), "'batch_id' of the batch"),
        (batch_of(member("0")), "'index'"),
        (batch_of(), "a list of 1 to 16"),
        (batch_of(*(member(index, size=17) for index in range(17))), "a list of 1 to 16"),
        (batch_of(requests="none"), "'requests'"),
    ],
)
def test_a_batch_is_the_one_that_was_named(kind: str, name: str, body: dict[str, Any], why: str) -> None:
    error = failure(kind, name, answer(body))
    assert type(error) is countersign.ProtocolError
    assert why in str(error)


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize("name", ["batch", "cancel_batch"])
def test_a_batchs_signatures_are_verified(kind: str, name: str) -> None:
    error = failure(kind, name, answer(batch_of(member(0), member(1, **FORGED))))
    assert type(error) is countersign.VerificationError
    assert error.request_id == id_of(2)


@pytest.mark.parametrize("kind", clients)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"cancelled": -1, "has_more": False}, "'cancelled'"),
        ({"cancelled": 101, "has_more": False}, "'cancelled' of the answer is not a whole number to 100"),
        ({"cancelled": 1.5, "has_more": False}, "'cancelled'"),
        ({"cancelled": "1", "has_more": False}, "'cancelled'"),
        ({"cancelled": True, "has_more": False}, "'cancelled'"),
        ({"cancelled": 1}, "'has_more' of the answer is missing"),
        ({"cancelled": 1, "has_more": "no"}, "'has_more'"),
        ({"cancelled": 1, "has_more": None}, "'has_more'"),
        ({"requests": [], "next_cursor": "c"}, "'cancelled' of the answer is missing"),
    ],
)
def test_how_many_were_withdrawn_is_a_number_that_may_be(kind: str, body: dict[str, Any], why: str) -> None:
    error = failure(kind, "cancel_all", answer(body))
    assert type(error) is countersign.ProtocolError
    assert why in str(error)
    whole = Script([answer({"cancelled": 100, "has_more": True})])
    assert call(kind, whole, "cancel_all") == countersign.CancelledAll(cancelled=100, has_more=True)
