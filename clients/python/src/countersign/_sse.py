"""Server-sent events, as far as the API has them, out of pieces of any size."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._errors import ProtocolError

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


@dataclass(frozen=True)
class Event:
    name: str
    data: bytes


class EventReader:
    """Puts events together. No event may be longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._length = 0

    def feed(self, piece: bytes) -> list[Event]:
        # A line in many pieces is gone through once, not again with each.
        whole = self._rest.endswith(b"\r") or _LINE_END.search(piece + b".") is not None
        self._rest += piece
        lines: list[bytes] = []
        if whole:
            *lines, rest = _LINE_END.split(bytes(self._rest))
            self._rest = bytearray(rest)
        events = [event for line in lines if (event := self._line(line)) is not None]
        if self._length + len(self._rest) > self._limit:
            raise ProtocolError("an event is longer than is read of one")
        return events

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._end()
        self._length += len(line)
        if self._length > self._limit:
            raise ProtocolError("an event is longer than is read of one")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._name = value.decode("utf-8", "replace")
        elif name == b"data":
            self._data.append(value)
        return None

    def _end(self) -> Event | None:
        event = Event(self._name or "message", b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._length = "", [], 0
        return event
