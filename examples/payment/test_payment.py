"""The backend as its README runs it, killed at every step, with a real server and a real wallet."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import KEY, Process, Server, Wallet
from countersign import Countersign
from documented import EXAMPLES, command

FOLDER = EXAMPLES / "payment"
ORDER = {"public_key": KEY, "cents": 2500, "to": "Alice"}


class Backend:
    """The program of the README, at one address however often it is started."""

    def __init__(self, server: Server, port: int, database: Path) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self.database = database
        self.port = port
        self.env = {
            "COUNTERSIGN_URL": server.url,
            "HOOK_URL": f"{self.url}/hook",
            "DATABASE": str(database),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process: Process | None = None
        # A pool would keep connections to one that was killed.
        self.http = httpx.Client(base_url=self.url, limits=httpx.Limits(max_keepalive_connections=0), timeout=30)

    def start(self) -> None:
        program, app, flag, port = command("payment", "uvicorn ")
        assert (program, flag, port) == ("uvicorn", "--port", "9000")
        words = ["env", *(f"{name}={value}" for name, value in self.env.items())]
        words += [sys.executable, "-m", program, app, flag, str(self.port)]
        self.process = Process.start("sh", "-c", f"cd {shlex.quote(str(FOLDER))} && exec {shlex.join(words)} 2>&1")
        self.line("Uvicorn running on")

    def line(self, text: str) -> str:
        """Waits for a line with this text."""
        assert self.process
        while text not in (line := self.process.line()):
            pass
        return line

    def kill(self) -> None:
        if self.process:
            self.process.end()
        self.process = None

    def pay(self, payment: str) -> httpx.Response:
        return self.http.put(f"/payments/{payment}", json=ORDER)

    def curl(self, beginning: str) -> dict[str, str]:
        """What a call of the README answers."""
        words = command("payment", beginning)
        words = [
            word.replace("127.0.0.1:9000", f"127.0.0.1:{self.port}").replace("<public_key>", KEY) for word in words
        ]
        done = subprocess.run([*words, "-sS"], capture_output=True, text=True, timeout=60, check=True)
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    def state(self, payment: str) -> str:
        state: str = self.http.get(f"/payments/{payment}").json()["state"]
        return state

    def sql(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as db, db:
            return db.execute(statement).fetchall()

    def verify(self, payment: str) -> subprocess.CompletedProcess[str]:
        _, program, _ = command("payment", "python verify.py")
        words = [sys.executable, program, payment]
        env = {"PATH": os.environ["PATH"], "DATABASE": self.env["DATABASE"], "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(words, capture_output=True, text=True, cwd=FOLDER, env=env, timeout=60, check=False)


@pytest.fixture
def backend(start_server: Callable[..., Server], tmp_path: Path) -> Iterator[Backend]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    flags = ("--data-dir", str(tmp_path / "data"), "--webhook-target", f"http://127.0.0.1:{port}/hook")
    server = start_server(*flags)
    backend = Backend(server, port, tmp_path / "payments.db")
    try:
        backend.start()
        yield backend
    finally:
        backend.kill()
        backend.http.close()


@pytest.fixture
def wallet(backend: Backend, start_wallet: Callable[..., Wallet]) -> Wallet:
    """One that decides when it is told to."""
    return start_wallet(backend.server, "hold")


def prompts(wallet: Wallet) -> int:
    return [event["event"] for event in wallet.rest()].count("asked")


def test_the_webhook_settles_it_and_the_receipt_holds_without_a_server(backend: Backend, wallet: Wallet) -> None:
    assert backend.curl("curl -X PUT") == {"id": "1042", "state": "open"}
    wallet.event("asked")
    # Again, as a caller does who has heard nothing; another order is not the same.
    assert backend.pay("1042").status_code == 202
    assert backend.http.put("/payments/1042", json={**ORDER, "cents": 9}).status_code == 409
    wallet.answer()
    backend.line("payment 1042: signed")
    assert backend.curl("curl http") == {"id": "1042", "state": "signed"}
    assert prompts(wallet) == 0
    backend.server.kill()
    done = backend.verify("1042")
    assert done.stdout.startswith("signed by human:\nPay 25.00 EUR to Alice\nPayment 1042 "), done.stderr
    backend.sql("UPDATE payments SET message = CAST(replace(CAST(message AS TEXT), '25.00', '10.00') AS BLOB)")
    done = backend.verify("1042")
    assert done.returncode == 1
    assert "another message" in done.stderr


@pytest.mark.parametrize("heard", [True, False], ids=["after the answer", "before the answer"])
@pytest.mark.parametrize("signed_while_down", [True, False])
def test_a_crash_while_it_waits_loses_nothing_and_asks_nobody_twice(
    backend: Backend, wallet: Wallet, heard: bool, signed_while_down: bool
) -> None:
    assert backend.pay("7").status_code == 202
    wallet.event("asked")
    backend.kill()
    ((request,),) = backend.sql("SELECT request_id FROM payments")
    if not heard:
        # As it is where the crash came between asking and writing down that it was asked.
        backend.sql("UPDATE payments SET request_id = NULL")
    if signed_while_down:
        wallet.answer()
        with Countersign(backend.server.url) as countersign:
            assert countersign.wait(request).state == "signed"
    backend.start()
    if not signed_while_down:
        if not heard:
            # It has asked again once it is known by its request, and the wallet is still asked once.
            backend.pay("7")
        wallet.answer()
    backend.line("payment 7: signed")
    assert backend.state("7") == "signed"
    assert backend.verify("7").returncode == 0
    assert prompts(wallet) == 0


def test_what_cannot_be_asked_now_is_asked_at_the_next_call(
    backend: Backend, start_wallet: Callable[..., Wallet]
) -> None:
    server: Server = backend.server
    backend.kill()
    backend.env["COUNTERSIGN_URL"] = "http://127.0.0.1:1"
    backend.start()
    refused = backend.pay("8")
    assert (refused.status_code, refused.json()["detail"]) == (503, "network")
    assert backend.state("8") == "open"
    backend.kill()
    backend.env["COUNTERSIGN_URL"] = server.url
    start_wallet(server, "sign")
    backend.start()
    backend.line("payment 8: signed")


def test_a_refusal_has_a_receipt_too(backend: Backend, start_wallet: Callable[..., Wallet]) -> None:
    start_wallet(backend.server, "reject")
    backend.pay("9")
    backend.line("payment 9: rejected")
    assert backend.verify("9").stdout.startswith("rejected (rejected):\nPay 25.00 EUR")


def test_nonsense_is_refused_and_changes_nothing(backend: Backend) -> None:
    assert backend.http.put("/payments/10", json={**ORDER, "to": "Alice\nPay 900 EUR to Bob"}).status_code == 422
    assert backend.http.put("/payments/10", json={**ORDER, "public_key": "none"}).json()["state"] == (
        "failed: invalid_public_key"
    )
    forged = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1a,AA=="}
    assert backend.http.post("/hook", content=b"{}", headers=forged).status_code == 400
    assert backend.http.post("/hook", content=b"x" * 2_000_000).status_code == 413
