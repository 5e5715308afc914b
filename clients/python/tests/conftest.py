"""The real server and wallets, each a process that ends with its test."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("COUNTERSIGN_BIN", str(ROOT / "target/debug/countersign"))
SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_PATIENCE_S = 30


@dataclass
class Process:
    """A program whose lines are awaited."""

    child: subprocess.Popen[str]
    lines: queue.Queue[str | None] = field(default_factory=queue.Queue)
    reader: threading.Thread | None = None

    @classmethod
    def start(cls, *command: str) -> Process:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        process = cls(child)
        process.reader = threading.Thread(target=process._read)
        process.reader.start()
        return process

    def _read(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def line(self) -> str:
        line = self.lines.get(timeout=_PATIENCE_S)
        assert line is not None, "the process has ended"
        return line

    def end(self) -> None:
        self.child.kill()
        self.child.wait()
        assert self.reader
        assert self.child.stdout
        assert self.child.stdin
        self.reader.join()
        self.child.stdout.close()
        self.child.stdin.close()


@dataclass
class Server:
    flags: tuple[str, ...]
    process: Process | None = None
    url: str = ""
    listen: str = "127.0.0.1:0"

    def start(self) -> None:
        self.process = Process.start(BINARY, "--listen", self.listen, *self.flags)
        while not (found := re.search(r"listening on (http://(\S+?))/?\s", self.process.line())):
            pass
        self.url, self.listen = found[1], found[2]

    def kill(self) -> None:
        if self.process:
            self.process.end()
        self.process = None

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws"


@dataclass
class Wallet:
    process: Process

    def event(self, *names: str) -> dict[str, Any]:
        """The next of these; what else happens is passed over."""
        while True:
            event: dict[str, Any] = json.loads(self.process.line())
            if event["event"] in names:
                return event

    def answer(self) -> None:
        """Signs what it has been asked."""
        assert self.process.child.stdin
        self.process.child.stdin.write("\n")
        self.process.child.stdin.flush()

    def rest(self) -> list[dict[str, Any]]:
        """Ends it, and gives what had happened and was not looked at."""
        self.process.end()
        rest = []
        while (line := self.process.lines.get_nowait()) is not None:
            rest.append(json.loads(line))
        return rest


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(*flags: str) -> Server:
            server = Server(("--no-rate-limit", *flags))
            stack.callback(server.kill)
            server.start()
            return server

        yield start


@pytest.fixture
def server(start_server: Callable[..., Server], tmp_path: Path) -> Server:
    return start_server("--data-dir", str(tmp_path / "data"))


@pytest.fixture
def start_wallet() -> Iterator[Callable[..., Wallet]]:
    with ExitStack() as stack:

        def start(server: Server, conduct: str = "sign", seed: str = SEED) -> Wallet:
            program = str(Path(__file__).parent / "wallet.mjs")
            wallet = Wallet(Process.start("node", program, server.ws, seed, conduct))
            stack.callback(wallet.process.end)
            wallet.event("connected")
            return wallet

        yield start
