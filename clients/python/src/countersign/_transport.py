"""Carries steps out with httpx, once as it is and once asynchronously. What is decided is decided in the steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeVar

import anyio
import httpx

from ._steps import Broken, Emit, Exchange, HttpAnswer, Pause, Read, Settings, Step, Steps

T = TypeVar("T")
_CONNECT_S = 5.0
#: Where nothing has been sent yet when one of these is raised.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
_EVENT_STREAM = "text/event-stream"


def _prepare(
    client: httpx.Client | httpx.AsyncClient, settings: Settings, exchange: Exchange, trace: object
) -> httpx.Request:
    timeout = httpx.Timeout(exchange.timeout, connect=min(exchange.timeout, _CONNECT_S))
    return client.build_request(
        exchange.method,
        exchange.base + exchange.path,
        headers={**settings.headers(), **exchange.headers},
        content=exchange.body,
        timeout=timeout,
        extensions={"trace": trace},
    )


def _note(exchange: Exchange, event: str) -> None:
    """Notes how far an exchange has come, by the names that httpcore gives to its parts."""
    if event.endswith("send_request_headers.started"):
        exchange.sent = True
    elif exchange.sent is None:
        exchange.sent = False


def _broken(exchange: Exchange, cause: Exception) -> Broken:
    return Broken(sent=not isinstance(cause, _UNSENT) and exchange.sent is not False, cause=cause)


def _streams(exchange: Exchange, response: httpx.Response) -> bool:
    wanted = response.headers.get("content-type", "").lower().startswith(_EVENT_STREAM)
    return exchange.stream and wanted and response.status_code == httpx.codes.OK


def _answer(response: httpx.Response, body: bytes, **how: bool) -> HttpAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(response.status_code, headers, body, **how)


class SyncTransport:
    def __init__(self, client: httpx.Client, settings: Settings, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._settings = settings
        self._sleep = sleep

    def run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    outcome = self._perform(step)
                except BaseException as error:  # noqa: BLE001
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def iterate(self, steps: Steps[None]) -> Generator[Any, None, None]:
        stream = _SyncStream()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Emit):
                    yield step.value
                    outcome: object = None
                elif isinstance(step, Read):
                    outcome = stream.read()
                else:
                    stream.close()
                    outcome = self._perform(step, stream)
                step = steps.send(outcome)
        except StopIteration:
            return
        finally:
            stream.close()
            steps.close()

    def _perform(self, step: Step, stream: _SyncStream | None = None) -> object:
        if isinstance(step, Pause):
            self._sleep(step.seconds)
            return None
        if not isinstance(step, Exchange):
            raise TypeError(f"{type(step).__name__} is for iteration")
        try:
            return self._exchange(step, stream)
        except (httpx.HTTPError, httpx.StreamError) as cause:
            return _broken(step, cause)

    def _exchange(self, exchange: Exchange, stream: _SyncStream | None) -> HttpAnswer:
        request = _prepare(self._client, self._settings, exchange, lambda event, _info: _note(exchange, event))
        until = self._settings.monotonic() + exchange.timeout
        response = self._client.send(request, stream=True, auth=None, follow_redirects=False)
        if stream is not None and _streams(exchange, response):
            stream.open(response)
            return _answer(response, b"", streaming=True)
        try:
            return self._read(response, until)
        finally:
            response.close()

    def _read(self, response: httpx.Response, until: float) -> HttpAnswer:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > self._settings.max_answer_bytes:
                return _answer(response, b"", too_long=True)
            if self._settings.monotonic() > until:
                raise httpx.ReadTimeout("the answer did not end in time")
        return _answer(response, bytes(body))


class _SyncStream:
    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._pieces: Generator[bytes, None, None] | None = None

    def open(self, response: httpx.Response) -> None:
        self._response = response
        self._pieces = response.iter_raw()  # type: ignore[assignment]

    def read(self) -> bytes | Broken | None:
        if self._pieces is None:
            return None
        try:
            return next(self._pieces, None)
        except (httpx.HTTPError, httpx.StreamError) as cause:
            return Broken(sent=True, cause=cause)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = self._pieces = None


class AsyncTransport:
    def __init__(
        self, client: httpx.AsyncClient, settings: Settings, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._client = client
        self._settings = settings
        self._sleep = sleep

    async def run(self, steps: Steps[T]) -> T:
        interrupted = False
        try:
            step = next(steps)
            while True:
                try:
                    # What is done after a cancellation, such as withdrawing, is not cancelled as well; it has a deadline of its own.
                    with anyio.CancelScope(shield=interrupted):
                        outcome = await self._perform(step)
                except BaseException as error:  # noqa: BLE001
                    interrupted = True
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def iterate(self, steps: Steps[None]) -> AsyncGenerator[Any, None]:
        stream = _AsyncStream()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Emit):
                    yield step.value
                    outcome: object = None
                elif isinstance(step, Read):
                    outcome = await stream.read()
                else:
                    await stream.close()
                    outcome = await self._perform(step, stream)
                step = steps.send(outcome)
        except StopIteration:
            return
        finally:
            with anyio.CancelScope(shield=True):
                await stream.close()
            steps.close()

    async def _perform(self, step: Step, stream: _AsyncStream | None = None) -> object:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return None
        if not isinstance(step, Exchange):
            raise TypeError(f"{type(step).__name__} is for iteration")
        try:
            return await self._exchange(step, stream)
        except (httpx.HTTPError, httpx.StreamError) as cause:
            return _broken(step, cause)

    async def _exchange(self, exchange: Exchange, stream: _AsyncStream | None) -> HttpAnswer:
        async def trace(event: str, _info: object) -> None:
            _note(exchange, event)

        request = _prepare(self._client, self._settings, exchange, trace)
        until = self._settings.monotonic() + exchange.timeout
        response = await self._client.send(request, stream=True, auth=None, follow_redirects=False)
        if stream is not None and _streams(exchange, response):
            stream.open(response)
            return _answer(response, b"", streaming=True)
        try:
            return await self._read(response, until)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response, until: float) -> HttpAnswer:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._settings.max_answer_bytes:
                return _answer(response, b"", too_long=True)
            if self._settings.monotonic() > until:
                raise httpx.ReadTimeout("the answer did not end in time")
        return _answer(response, bytes(body))


class _AsyncStream:
    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._pieces: AsyncGenerator[bytes, None] | None = None

    def open(self, response: httpx.Response) -> None:
        self._response = response
        self._pieces = response.aiter_raw()  # type: ignore[assignment]

    async def read(self) -> bytes | Broken | None:
        if self._pieces is None:
            return None
        try:
            return await anext(self._pieces, None)
        except (httpx.HTTPError, httpx.StreamError) as cause:
            return Broken(sent=True, cause=cause)

    async def close(self) -> None:
        if self._pieces is not None:
            await self._pieces.aclose()
        if self._response is not None:
            await self._response.aclose()
        self._response = self._pieces = None
