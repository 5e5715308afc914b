"""A stranger's afternoon: the wheel, installed in an environment of its own, and the example as its README runs it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from conftest import KEY, Server, Wallet
from documented import EXAMPLES, command

# Fixtures: the built packages, and an interpreter that has nothing but the wheel.
from test_package import built, python

__all__ = ["built", "python"]

PROGRAM = EXAMPLES / "quickstart/quickstart.py"
_LONGEST_AFTERNOON = 30


def run(python: Path, server: Server, port: int) -> subprocess.CompletedProcess[str]:
    name, *arguments = command("quickstart", "python quickstart.py")
    assert name == "python"
    words = [str(python), *(word.replace("<public_key>", KEY) for word in arguments)]
    env = {"PATH": os.environ["PATH"], "COUNTERSIGN_URL": server.url, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=PROGRAM.parent, env=env, check=False)


def start(start_server: Callable[..., Server], data: Path) -> tuple[Server, int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return start_server("--data-dir", str(data), "--webhook-target", f"http://127.0.0.1:{port}/hook"), port


def test_a_verified_signature_receipt_and_webhook_in_under_30_lines(
    built: Path, python: Path, start_server: Callable[..., Server], start_wallet: Callable[..., Wallet], tmp_path: Path
) -> None:
    (wheel,) = built.glob("*.whl")
    assert command("quickstart", "pip install") == ["pip", "install", wheel.name]
    assert len(PROGRAM.read_text().splitlines()) < _LONGEST_AFTERNOON
    server, port = start(start_server, tmp_path / "data")
    start_wallet(server)
    done = run(python, server, port)
    assert (done.returncode, done.stderr) == (0, "")
    signature, *rest = done.stdout.splitlines()
    assert re.fullmatch("signature: [0-9a-f]{128}", signature)
    assert rest == ["receipt: signed by policy:sign-everything", "webhook: signed"]


def test_a_human_who_declines_ends_it_with_the_reason(
    python: Path, start_server: Callable[..., Server], start_wallet: Callable[..., Wallet], tmp_path: Path
) -> None:
    server, port = start(start_server, tmp_path / "data")
    start_wallet(server, "reject")
    done = run(python, server, port)
    assert done.returncode == 1
    assert "RejectedError" in done.stderr
    assert "signature" not in done.stdout
