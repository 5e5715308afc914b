"""Calls as steps, without I/O: a generator yields what is to be done next, and is sent what became of it.

The synchronous and the asynchronous client carry out the same steps, so that they cannot differ in what they decide. An exception that
interrupts a step is thrown into the generator, which may yield further steps, such as withdrawing what was asked, before it lets it go.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Exchange:
    """To be sent, and answered."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    #: In seconds, from the first to the last byte; of a stream, between two pieces of it.
    timeout: float = 15.0
    #: The server's URL; set for each attempt.
    base: str = ""
    #: Whether the answer's body, where it is a stream of events, is left to be read by `Read`.
    stream: bool = False
    #: Set while it is carried out. False: nothing has been sent. None: that is not known.
    sent: bool | None = None

    def to(self, base: str, timeout: float) -> Exchange:
        return replace(self, base=base, timeout=timeout, sent=None)


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Read:
    """To be read from the stream: bytes, or None at its end, or `Broken`."""


@dataclass(frozen=True)
class Emit:
    """To be handed to who iterates."""

    value: Any


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes
    #: The body was longer than what is read of one.
    too_long: bool = False
    #: The body is left to be read.
    streaming: bool = False


@dataclass(frozen=True)
class Broken:
    """There was no answer."""

    #: False where it is certain that nothing reached the server.
    sent: bool
    cause: Exception


Step = Exchange | Pause | Read | Emit
Steps = Generator[Step, Any, T]


@dataclass
class Settings:
    """What all calls of a client share."""

    bases: list[str]
    token: str | None
    #: In seconds.
    patience: float
    exchange_timeout: float
    max_answer_bytes: int
    durable: bool
    monotonic: Callable[[], float]
    #: In seconds since the Unix epoch.
    time: Callable[[], float]
    #: From 0 to 1.
    random: Callable[[], float]
    uuid: Callable[[], str]
    #: Which of `bases` is called: the one that answered last.
    current: int = 0
    #: Until when the server is taken to have no store.
    no_store_until: float = float("-inf")

    @property
    def base(self) -> str:
        return self.bases[self.current % len(self.bases)]

    def headers(self) -> dict[str, str]:
        """Those of every call. What is not compressed needs no second limit on its length."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "countersign-python/0.1.0"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def __repr__(self) -> str:
        return f"Settings(bases={self.bases!r})"
