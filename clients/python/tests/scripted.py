"""Servers that answer as a test says, and a clock that goes only when somebody sleeps."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countersign._encoding import encode_base64, encode_base64url

ID = "e604cb6f-0ab1-426a-a80f-4234344b6dfe"
SECRET = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
RAW_KEY = SECRET.public_key().public_bytes_raw()
KEY = encode_base64(RAW_KEY)
JWKS: dict[str, Any] = {
    "keys": [
        {"alg": "EdDSA", "crv": "Ed25519", "kid": "k1", "kty": "OKP", "use": "sig", "x": encode_base64url(RAW_KEY)}
    ],
    "webhook_public_key": f"whpk_{KEY}",
}


def request(state: str = "signed", message: bytes = b"hello", **members: Any) -> dict[str, Any]:
    """A request as the server writes it."""
    ends: dict[str, Any] = {
        "signed": {"signature": encode_base64(SECRET.sign(message))},
        "rejected": {"error": {"code": "rejected", "detail": "no", "reject_code": "user_rejected"}},
    }
    return {
        "request_id": ID,
        "public_key": KEY,
        "state": state,
        "attempt": 1,
        "requester": {"name": "local backend"},
        "deliver_by_ms": 1,
        "expires_at_ms": 2,
        "times": {"queued_ms": 1},
        "message": encode_base64(message),
        **ends.get(state, {}),
        **members,
    }


def answer(value: object, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=json.dumps(value), headers={"content-type": "application/json", **headers})


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"type": f"urn:countersign:error:{code}", "title": "", "status": status, "detail": "no", "code": code}
    return httpx.Response(
        status, content=json.dumps(body), headers={"content-type": "application/problem+json", **headers}
    )


Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class Script:
    """Answers call after call, and keeps what was asked; the last answer is given for good."""

    replies: list[Reply]
    calls: list[httpx.Request] = field(default_factory=list)
    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def handle(self, call: httpx.Request) -> httpx.Response:
        self.calls.append(call)
        reply = self.replies[min(len(self.calls), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, httpx.Response):
            return reply(call)
        # As much as a connection would give: what is not read in pieces is not bounded.
        return httpx.Response(reply.status_code, headers=reply.headers, stream=Pieces(reply.content))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def options(self, kind: str) -> dict[str, Any]:
        transport = httpx.MockTransport(self.handle)
        client = httpx.Client if kind == "sync" else httpx.AsyncClient
        return {
            "client": client(transport=transport),
            "sleep": self.sleep if kind == "sync" else self.sleep_async,
            "monotonic": lambda: self.now,
            "random": lambda: 1.0,
        }

    @property
    def made(self) -> list[str]:
        return [f"{call.method} {call.url.raw_path.decode()}" for call in self.calls]


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._content), 1_000):
            yield self._content[at : at + 1_000]

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


@contextmanager
def cutting_proxy(target: str, cuts: int) -> Iterator[str]:
    """Passes connections on to `host:port`; the first of them are cut when the whole call has been passed on and before any answer is."""
    host, port = target.split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    left = [cuts]

    def serve(near: socket.socket) -> None:
        with near, socket.create_connection((host, int(port))) as far:
            cut = left[0] > 0
            left[0] -= 1
            back = threading.Thread(target=_cut if cut else _pump, args=(far, near))
            back.start()
            _pump(near, far)
            back.join()

    def accept() -> None:
        threads = []
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                break
            threads.append(threading.Thread(target=serve, args=(near,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # What waits in accept() is woken by this, and not by close().
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _cut(far: socket.socket, near: socket.socket) -> None:
    """The server's first byte says that it has read the call."""
    far.recv(1)
    _end(near)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
    except OSError:
        pass
    _end(sink)


def _end(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
