"""The backend as its README runs it, with a real server, real wallets, and those who would like to be somebody else."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from conftest import KEY, Process, Server, Wallet
from countersign import Countersign
from documented import EXAMPLES, command
from logins import MOST_LOGINS, Logins, TooManyError, challenge

SITE = "http://shop.example"
StartWallet = Callable[..., Wallet]


class Backend:
    """The program of the README, and the address at which it finds Countersign."""

    def __init__(self, server: Server, countersign: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        program, app, flag, documented = command("login", "uvicorn ")
        assert (program, flag, documented) == ("uvicorn", "--port", "9000")
        accounts = json.dumps({"alice": KEY})
        words = ["env", f"COUNTERSIGN_URL={countersign}", f"ACCOUNTS={accounts}", f"SITE={SITE}"]
        words += ["PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", program, app, flag, str(port)]
        folder = shlex.quote(str(EXAMPLES / "login"))
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process.start("sh", "-c", f"cd {folder} && exec {shlex.join(words)} 2>&1")
        while "Uvicorn running on" not in self.process.line():
            pass


class Browser:
    """One with cookies of its own."""

    def __init__(self, backend: Backend) -> None:
        self.http = httpx.Client(base_url=backend.url, timeout=30)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def begin(self, account: str = "alice") -> httpx.Response:
        return self.http.post("/login", json={"account": account})

    def look(self) -> httpx.Response:
        return self.http.post("/login/state")

    def state(self) -> str:
        state: str = self.look().json()["state"]
        return state

    def me(self) -> str | None:
        answer = self.http.get("/me")
        account: str | None = answer.json()["account"] if answer.is_success else None
        return account


@pytest.fixture
def server(start_server: Callable[..., Server], tmp_path: Path) -> Server:
    return start_server("--data-dir", str(tmp_path / "data"))


@contextmanager
def running(server: Server, countersign: str | None = None) -> Iterator[Backend]:
    backend = Backend(server, countersign or server.url)
    try:
        yield backend
    finally:
        backend.process.end()


@pytest.fixture
def backend(server: Server) -> Iterator[Backend]:
    with running(server) as backend:
        yield backend


@pytest.fixture
def wallet(server: Server, start_wallet: StartWallet) -> Wallet:
    """One that decides when it is told to."""
    return start_wallet(server, "hold")


def ended(server: Server) -> str:
    """The id of what was asked last, when it has ended."""
    with Countersign(server.url) as countersign:
        return countersign.wait(next(iter(countersign.list(public_key=KEY))).request_id).request_id


def test_a_login_as_the_readme_has_it(backend: Backend, wallet: Wallet, tmp_path: Path) -> None:
    def curl(beginning: str) -> dict[str, str]:
        words = [
            word.replace("http://127.0.0.1:9000", backend.url) for word in command("login", f"curl -sS {beginning}")
        ]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path)
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    begin, look, me = "-c browser", "-b browser -c browser", "-b browser http"
    code = curl(begin)["code"]
    wallet.event("asked")
    assert curl(look) == {"state": "open"}
    assert curl(me) == {"detail": "Unauthorized"}
    with Countersign(backend.server.url) as countersign:
        (asked,) = countersign.list(public_key=KEY)
    assert asked.message.decode().splitlines()[:2] == [f"Log in to {SITE} as alice", f"Only if your page shows {code}"]
    assert code in (asked.purpose or "")
    wallet.answer()
    ended(backend.server)
    assert curl(look) == {"state": "signed"}
    assert curl(me) == {"account": "alice"}


def test_a_login_makes_one_session_in_the_browser_that_began_it(backend: Backend, wallet: Wallet) -> None:
    with Browser(backend) as alice, Browser(backend) as thief, Browser(backend) as late:
        answer = alice.begin()
        cookie = alice.http.cookies["login"]
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert cookie not in answer.text
        wallet.event("asked")
        wallet.answer()
        ended(backend.server)
        thief.http.cookies.set("login", "x" * len(cookie))
        assert thief.look().status_code == 401
        assert alice.state() == "signed"
        assert alice.me() == "alice"
        # The cookie of the login is good for nothing any more, nor is it the session's.
        for name in ("login", "session"):
            late.http.cookies.set(name, cookie)
        assert (late.look().status_code, late.me()) == (401, None)
        assert alice.http.post("/logout").status_code == 204
        assert alice.me() is None


class Liar:
    """A server in front of the real one that answers with other receipts than it is asked for."""

    def __init__(self, server: Server) -> None:
        self.receipt: str | None = None
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: self.headers[name] for name in self.headers if name.lower() != "host"}
                answer = httpx.request(self.command, server.url + self.path, headers=headers, content=body)
                told = answer.content
                if self.path.endswith("/receipt") and liar.receipt is not None:
                    told = liar.receipt.encode()
                self.send_response_only(answer.status_code)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)

    def __enter__(self) -> Liar:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"


def signed_elsewhere(server: Server, wallet: Wallet, message: bytes) -> str:
    """A receipt of what the same wallet has signed for somebody else."""
    with Countersign(server.url) as countersign:
        submitted = countersign.submit(KEY, message)
        wallet.event("asked")
        wallet.answer()
        assert submitted.wait().state == "signed"
        return submitted.receipt()


def test_a_receipt_of_anything_else_opens_nothing(server: Server, wallet: Wallet) -> None:
    with Liar(server) as liar, running(server, liar.url) as backend:
        # A login of her own, before.
        with Browser(backend) as before:
            before.begin()
            wallet.event("asked")
            wallet.answer()
            with Countersign(server.url) as countersign:
                replayed = countersign.receipt(ended(server))
            assert before.state() == "signed"
        with Browser(backend) as attacker:
            code = attacker.begin().json()["code"]
            wallet.event("asked")
            with Countersign(server.url) as countersign:
                (asked,) = countersign.list(public_key=KEY, state="open")
            other_site = asked.message.replace(SITE.encode(), b"http://evil.example")
            assert code.encode() in other_site
            elsewhere = signed_elsewhere(server, wallet, other_site)
            # This has had the wallet sign what was open too, so that only the receipt is amiss.
            with Countersign(server.url) as countersign:
                assert countersign.wait(asked.request_id).state == "signed"
            header, payload, signature = replayed.split(".")
            for receipt in (replayed, elsewhere, f"{header}.{payload}.{signature[:-4]}AAAA", "x.y.z", "none"):
                liar.receipt = receipt
                assert attacker.look().status_code == 502, receipt
                assert attacker.me() is None
            liar.receipt = None
            assert attacker.state() == "signed"


def test_who_declines_is_not_logged_in(backend: Backend, start_wallet: StartWallet) -> None:
    start_wallet(backend.server, "reject")
    with Browser(backend) as alice:
        alice.begin()
        ended(backend.server)
        assert (alice.state(), alice.me()) == ("rejected", None)
        assert alice.look().status_code == 401


def test_a_rule_that_signs_everything_is_nobody_at_the_wallet(backend: Backend, start_wallet: StartWallet) -> None:
    start_wallet(backend.server, "sign")
    with Browser(backend) as alice:
        alice.begin()
        ended(backend.server)
        assert (alice.state(), alice.me()) == ("not by a human", None)


def test_an_account_is_asked_once_at_a_time_and_one_that_is_none_not_at_all(backend: Backend, wallet: Wallet) -> None:
    with Browser(backend) as alice, Browser(backend) as other, Browser(backend) as nobody:
        known = alice.begin()
        wallet.event("asked")
        refused = other.begin()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "120")
        unknown = nobody.begin("mallory")
        assert (unknown.status_code, unknown.json().keys()) == (known.status_code, known.json().keys())
        assert alice.state() == nobody.state() == "open"
        assert [event["event"] for event in wallet.rest()].count("asked") == 0
        for nonsense in ("", "Alice\nas root", "a" * 65):
            assert other.begin(nonsense).status_code == 422


def test_a_server_that_is_away_leaves_no_login_behind(server: Server) -> None:
    with running(server) as backend, Browser(backend) as alice:
        server.kill()
        answer = alice.begin()
        assert (answer.status_code, answer.json()) == (503, {"detail": "network"})
        server.start()
        assert alice.begin().status_code == 202


def test_logins_end_and_are_bounded() -> None:
    now = [1_000.0]
    logins = Logins(SITE, 120, clock=lambda: now[0])
    cookie, login = logins.begin("alice")
    with pytest.raises(TooManyError):
        logins.begin("alice")
    assert login.message == challenge(SITE, "alice", login.code, cookie, 1_120.0)
    now[0] += 120
    assert logins.find(cookie) is None
    assert logins.end(cookie) is None
    again, login = logins.begin("alice")
    assert again != cookie
    assert logins.end(again) == login
    assert logins.end(again) is None
    for number in range(MOST_LOGINS):
        logins.begin(f"account-{number}")
    with pytest.raises(TooManyError):
        logins.begin("alice")
    session = logins.session_of("alice")
    assert logins.account_of(session) == "alice"
    now[0] += 8 * 3_600
    assert logins.account_of(session) is None
