"""Both clients behind one face, so that each test is one of both."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from countersign import AsyncCountersign, Countersign

clients = ("sync", "asyncio", "trio")


class Client:
    """A `Countersign`, or an `AsyncCountersign` whose methods are awaited on a thread of its own."""

    def __init__(self, kind: str, *args: Any, **options: Any) -> None:
        self._kind = kind
        self._args = args
        self._options = options

    def __enter__(self) -> Any:
        if self._kind == "sync":
            self._client: Any = Countersign(*self._args, **self._options)
            return self._client.__enter__()
        self._portals = start_blocking_portal(self._kind)
        self._portal = self._portals.__enter__()
        self._client = AsyncCountersign(*self._args, **self._options)
        return Blocking(self._client, self._portal)

    def __exit__(self, *error: object) -> None:
        if self._kind == "sync":
            self._client.close()
            return
        Blocking(self._client, self._portal).close()
        self._portals.__exit__(None, None, None)


class Blocking:
    """Calls the methods of something asynchronous, and waits."""

    def __init__(self, inner: Any, portal: BlockingPortal) -> None:
        self._inner = inner
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        return self._blocking(member) if callable(member) else member

    def _blocking(self, method: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            found = method(*args, **options)
            if inspect.isasyncgen(found):
                return self._iterate(found)
            return self._wrap(self._portal.call(_awaited, found))

        return call

    def _iterate(self, items: Any) -> Iterator[Any]:
        while (item := self._portal.call(anext, items, None)) is not None:
            yield item

    def _wrap(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrap(one) for one in value]
        return Blocking(value, self._portal) if type(value).__name__ == "AsyncSubmitted" else value


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
