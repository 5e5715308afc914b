"""The clients against the real server, both with the same tests."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from conftest import KEY, Server, Wallet
from standardwebhooks import Webhook, WebhookVerificationError
from surface import Client, clients

import countersign
from countersign import AsyncCountersign, Countersign, Signed
from countersign._encoding import encode_base64

StartServer = Callable[..., Server]
StartWallet = Callable[..., Wallet]


@pytest.mark.parametrize("kind", clients)
def test_a_signature_is_returned_and_has_been_verified(kind: str, server: Server, start_wallet: StartWallet) -> None:
    start_wallet(server)
    with Client(kind, server.url) as client:
        for key in (KEY, bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")):
            signed = client.send_to_sign(key, b"Pay 25 EUR to Alice", purpose="Order 1042", timeout_ms=30_000)
            assert (signed.public_key, signed.message) == (KEY, b"Pay 25 EUR to Alice")
            assert countersign.verify_ed25519(
                bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
                signed.message,
                signed.signature,
            )
            assert signed.approved_by == "policy:sign-everything"
            assert signed.times["ended_ms"] >= signed.times["queued_ms"]
        assert client.signer(KEY).connected


@pytest.mark.parametrize("kind", clients)
def test_what_a_request_is_called_comes_back_with_it(kind: str, server: Server, start_wallet: StartWallet) -> None:
    start_wallet(server)
    with Client(kind, server.url) as client:
        given: dict[str, Any] = {"reference": "order-1042", "metadata": {"shop": "Göteborg"}}
        request = client.submit(KEY, b"hello", idempotency_key="found-again", **given).wait()
        assert (request.reference, request.metadata) == ("order-1042", {"shop": "Göteborg"})
        plain = client.submit(KEY, b"hello").wait()
        assert (plain.reference, plain.metadata) == (None, {})
        with pytest.raises(countersign.IdempotencyKeyReusedError):
            client.submit(KEY, b"hello", idempotency_key="found-again")
        for options, code in (
            ({"reference": ""}, "invalid_reference"),
            ({"metadata": {"a b": ""}}, "invalid_metadata"),
        ):
            with pytest.raises(countersign.InvalidRequestError) as caught:
                client.submit(KEY, b"hello", **options)
            assert caught.value.code == code


@pytest.mark.parametrize("kind", clients)
def test_a_request_takes_the_place_of_an_open_one_and_of_no_other(
    kind: str, server: Server, start_wallet: StartWallet
) -> None:
    start_wallet(server, "hold")
    with Client(kind, server.url) as client:
        old = client.submit(KEY, b"pay 25")
        instead = client.submit(KEY, b"pay 20", replaces=old.request_id, idempotency_key="basket-2")
        assert old.wait().state == "cancelled"
        with pytest.raises(countersign.ReplacedRequestEndedError) as caught:
            client.submit(KEY, b"pay 15", replaces=old.request_id)
        assert (caught.value.code, caught.value.status) == ("replaced_request_ended", 409)
        assert caught.value.replaced.request_id == old.request_id
        assert caught.value.replaced.state == "cancelled"
        with pytest.raises(countersign.UnknownRequestError):
            client.submit(KEY, b"pay 15", replaces="07070707-0707-4707-8707-070707070707")
        with pytest.raises(countersign.InvalidRequestError):
            client.submit_batch(KEY, [b"pay 15"], replaces=instead.request_id)
        assert client.cancel(instead.request_id).state == "cancelled"


@pytest.mark.parametrize("kind", clients)
def test_requests_are_found_again_and_withdrawn_several_at_a_time(
    kind: str, server: Server, start_wallet: StartWallet
) -> None:
    start_wallet(server, "hold")
    with Client(kind, server.url) as client:
        batch = client.submit_batch(KEY, [b"one", b"two"], reference="order 1042+")
        single = client.submit(KEY, b"three", reference="order 1042+", idempotency_key="k")

        def ids(**options: Any) -> list[str]:
            return [request.request_id for request in client.list(**options)]

        every = {one.request_id for one in [*batch, single]}
        assert set(ids()) == every
        assert set(ids(reference="order 1042+", page_size=1)) == every
        assert ids(idempotency_key="k") == [single.request_id]
        assert ids(reference="order 1042+", state="signed") == []
        assert set(ids(public_key=KEY)) == every
        batch_id = batch[0].request.batch.id
        assert set(ids(batch_id=batch_id, created_after_ms=1, created_before_ms=2**52)) == every - {single.request_id}

        shown = client.batch(batch_id)
        assert (shown.state, [one.message for one in shown.requests]) == ("open", [b"one", b"two"])
        withdrawn = client.cancel_batch(batch_id)
        assert (withdrawn.state, [one.state for one in withdrawn.requests]) == ("ended", ["cancelled", "cancelled"])
        assert client.cancel_all(reference="order 1042+") == countersign.CancelledAll(cancelled=1, has_more=False)
        assert client.cancel_all(reference="order 1042+", state="open").cancelled == 0
        with pytest.raises(countersign.InvalidRequestError):
            client.cancel_all(state="open")
        with pytest.raises(countersign.UnknownRequestError):
            client.batch("07070707-0707-4707-8707-070707070707")
        with pytest.raises(countersign.InvalidRequestError):
            ids(page_size=101)
        with pytest.raises(TypeError):
            ids(limit=1)


@pytest.mark.parametrize("kind", clients)
def test_what_the_wallet_says_is_raised(kind: str, server: Server, start_wallet: StartWallet) -> None:
    with Client(kind, server.url) as client:
        with pytest.raises(countersign.SignerNotConnectedError):
            client.send_to_sign(KEY, b"hello")
        start_wallet(server, "reject")
        with pytest.raises(countersign.RejectedError) as caught:
            client.send_to_sign(KEY, b"hello")
        assert (caught.value.code, caught.value.reject_code, caught.value.reason) == (
            "rejected",
            "user_rejected",
            "not today",
        )
        assert caught.value.request_id
        with pytest.raises(countersign.InvalidRequestError) as invalid:
            client.send_to_sign(KEY, b"hello", timeout_ms=5)
        assert invalid.value.code == "invalid_timeout"


@pytest.mark.parametrize("kind", clients)
def test_a_silent_wallet_lets_a_request_expire(kind: str, server: Server, start_wallet: StartWallet) -> None:
    start_wallet(server, "hold")
    with Client(kind, server.url) as client, pytest.raises(countersign.ExpiredError) as caught:
        client.send_to_sign(KEY, b"hello", timeout_ms=1_000)
    assert (caught.value.code, caught.value.phase) == ("timeout", "received")


@pytest.mark.parametrize("kind", clients)
def test_a_batch_gives_each_result_in_order(kind: str, server: Server, start_wallet: StartWallet) -> None:
    start_wallet(server)
    messages = [b"one", b"two", b"three"]
    with Client(kind, server.url) as client:
        results = client.send_to_sign_batch(KEY, messages)
        assert [result.message for result in results if isinstance(result, Signed)] == messages
        assert [one.request.message for one in client.submit_batch(KEY, messages)] == messages


@pytest.mark.parametrize("kind", clients)
def test_a_server_without_a_store_is_asked_in_a_call_that_waits(
    kind: str, start_server: StartServer, start_wallet: StartWallet
) -> None:
    server = start_server()
    wallet = start_wallet(server)
    with Client(kind, server.url) as client:
        signed = client.send_to_sign(KEY, b"hello")
        assert wallet.event("asked")["request_id"] == signed.request_id
        assert [type(one) for one in client.send_to_sign_batch(KEY, [b"one", b"two"])] == [Signed, Signed]
        for options in ({"queue": True}, {"idempotency_key": "a"}):
            with pytest.raises(countersign.NoStoreError):
                client.send_to_sign(KEY, b"hello", **options)
        with pytest.raises(countersign.NoStoreError):
            client.submit(KEY, b"hello")


@pytest.mark.parametrize("kind", clients)
def test_the_same_idempotency_key_asks_once(kind: str, server: Server, start_wallet: StartWallet) -> None:
    wallet = start_wallet(server)
    with Client(kind, server.url) as client:
        first, second = (client.send_to_sign(KEY, b"hello", idempotency_key="order-1042") for _ in range(2))
        assert first == second
        with pytest.raises(countersign.IdempotencyKeyReusedError):
            client.send_to_sign(KEY, b"another", idempotency_key="order-1042")
    assert [event["event"] for event in wallet.rest()].count("asked") == 1


@pytest.mark.parametrize("kind", clients)
def test_a_request_is_followed_withdrawn_and_attested(kind: str, server: Server, start_wallet: StartWallet) -> None:
    wallet = start_wallet(server, "hold")
    with Client(kind, server.url) as client:
        submitted = client.submit(KEY, b"hello")
        wallet.event("asked")
        assert client.get(submitted.request_id).state in {"delivered", "received"}
        assert client.wait(submitted.request_id, 0).ended is False
        with pytest.raises(countersign.NotEndedError):
            client.receipt(submitted.request_id)
        states = client.follow(submitted.request_id)
        assert next(states).state in {"delivered", "received"}
        assert client.cancel(submitted.request_id).state == "cancelled"
        assert [request.state for request in states][-1] == "cancelled"
        assert client.cancel(submitted.request_id).state == "cancelled"
        with pytest.raises(countersign.CancelledError):
            submitted.result()
        claims = client.verify_receipt(client.receipt(submitted.request_id), message=b"hello", public_key=KEY)
        assert (claims.jti, claims.state, claims.code) == (submitted.request_id, "cancelled", "cancelled")
        with pytest.raises(countersign.UnknownRequestError):
            client.get("e604cb6f-0ab1-426a-a80f-4234344b6dfe")
        with pytest.raises(ValueError, match="UUID"):
            client.get("../signers/x")


@pytest.mark.parametrize("kind", clients)
def test_a_server_killed_in_mid_call_is_asked_again_and_the_human_is_not(
    kind: str, server: Server, start_wallet: StartWallet
) -> None:
    wallet = start_wallet(server, "hold")
    with Client(kind, server.url) as client:
        states: list[str] = []
        submitted = client.submit(KEY, b"followed")
        wallet.event("asked")
        follower = threading.Thread(
            target=lambda: states.extend(one.state for one in Countersign(server.url).follow(submitted.request_id))
        )
        follower.start()
        call = InThread(lambda: client.send_to_sign(KEY, b"hello"))
        asked = wallet.event("asked")
        for _ in range(2):
            server.kill()
            server.start()
            wallet.event("connected")
        wallet.answer()
        signed = call.result()
        follower.join()
        assert signed.request_id == asked["request_id"]
        assert states[-1] == "signed"
        assert len(states) == len(set(states))
    assert "asked" not in [event["event"] for event in wallet.rest()]


def test_a_cancelled_task_withdraws_its_request(server: Server, start_wallet: StartWallet) -> None:
    wallet = start_wallet(server, "hold")

    async def main() -> None:
        async with AsyncCountersign(server.url) as client, anyio.create_task_group() as tasks:

            async def ask(*, task_status: TaskStatus[None]) -> None:
                task_status.started()
                await client.send_to_sign(KEY, b"hello")

            await tasks.start(ask)
            asked = await anyio.to_thread.run_sync(wallet.event, "asked")
            tasks.cancel_scope.cancel()
        assert wallet.event("cancelled")["request_id"] == asked["request_id"]

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)


def test_an_interrupted_call_withdraws_its_request(server: Server, start_wallet: StartWallet) -> None:
    wallet = start_wallet(server, "hold")
    main = threading.main_thread().ident
    assert main

    def interrupt() -> None:
        wallet.event("asked")
        signal.pthread_kill(main, signal.SIGINT)

    # Whatever runs in the background of a shell has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), Countersign(server.url) as client:
            client.send_to_sign(KEY, b"hello")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    wallet.event("cancelled")


@pytest.mark.parametrize("kind", clients)
def test_a_call_past_its_deadline_withdraws_its_request(kind: str, server: Server, start_wallet: StartWallet) -> None:
    wallet = start_wallet(server, "hold")
    with Client(kind, server.url) as client, pytest.raises(countersign.DeadlineError) as caught:
        client.send_to_sign(KEY, b"hello", deadline=0.7)
    assert wallet.event("cancelled")["request_id"] == caught.value.request_id


@pytest.mark.parametrize("kind", clients)
def test_of_several_servers_one_that_is_gone_is_passed_over(
    kind: str, server: Server, start_server: StartServer, start_wallet: StartWallet
) -> None:
    gone = start_server()
    gone.kill()
    start_wallet(server)
    with Client(kind, [gone.url, server.url]) as client:
        assert client.send_to_sign(KEY, b"hello").message == b"hello"


def test_an_unknown_token_is_refused_and_not_told(start_server: StartServer, tmp_path: Any) -> None:
    config = tmp_path / "countersign.toml"
    token = "a-token-that-nobody-has-been-given"
    config.write_text(f'[[token]]\nid = "a"\nname = "x"\nsha256 = "{"0" * 64}"\n')
    server = start_server("--config", str(config))
    with Countersign(server.url, token) as client, pytest.raises(countersign.UnauthorizedError) as caught:
        client.send_to_sign(KEY, b"hello")
    told = [repr(caught.value), str(caught.value), repr(vars(caught.value)), repr(client), repr(client._settings)]
    assert not [text for text in told if token in text]


class InThread:
    """A call that is under way."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._outcome: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._outcome = call()
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def result(self) -> Any:
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error
        return self._outcome


def test_a_webhook_is_verified_by_the_library_of_standard_webhooks_with_each_of_the_secrets(
    start_server: StartServer, start_wallet: StartWallet, tmp_path: Path
) -> None:
    secrets = [f"whsec_{encode_base64(os.urandom(length))}" for length in (24, 32, 64)]
    file, config = tmp_path / "secrets", tmp_path / "countersign.toml"
    file.touch(mode=0o600)
    file.write_text("\n".join(secrets))
    told: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.put((dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response_only(204)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Hook) as receiver:
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        config.write_text(f'[[webhook]]\nurl = "{url}"\nsecrets_file = "{file}"\nbatches = "together"\n')
        server = start_server("--data-dir", str(tmp_path / "data"), "--config", str(config))
        start_wallet(server)
        with countersign.Countersign(server.url) as client:
            signed = client.send_to_sign(KEY, b"hello", webhook=url)
            receiver.timeout = 30
            receiver.handle_request()
            headers, body = told.get_nowait()
            for secret in secrets:
                assert Webhook(secret).verify(body, headers)["data"]["request_id"] == signed.request_id
                event = countersign.verify_webhook(body, headers, secret)
                assert event.data.request_id == signed.request_id
            # The library knows secrets alone; the key is for this client, or for a few lines as in docs/http-api.md.
            assert client.verify_webhook(body, headers).data.request_id == signed.request_id

            # The target is told of a batch at once.
            results = client.send_to_sign_batch(KEY, [b"one", b"two"], webhook=url)
            receiver.handle_request()
            batch_headers, batch_body = told.get_nowait()
            heard = Webhook(secrets[0]).verify(batch_body, batch_headers)
            event = client.verify_webhook(batch_body, batch_headers)
            assert (heard["type"], event.type, event.data.state) == ("batch.ended", "batch.ended", "ended")
            assert [request.request_id for request in event.data.requests] == [one.request_id for one in results]
            assert [one["request_id"] for one in heard["data"]["requests"]] == [one.request_id for one in results]
    other = f"whsec_{encode_base64(os.urandom(32))}"
    for secret, changed in [(other, body), (secrets[0], body + b" ")]:
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(secret).verify(changed, headers)
        with pytest.raises(countersign.UnknownKeyError):
            countersign.verify_webhook(changed, headers, secret)
