"""The asynchronous client, for asyncio and trio. Its methods are those of the synchronous one, to be awaited."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import cast
from urllib.parse import quote

import anyio
import httpx
from typing_extensions import Self, Unpack

from . import _requests, _send_to_sign
from ._calls import call_json
from ._errors import CountersignError
from ._follow import follow
from ._jwks import JwkSet
from ._keys import Keys, fetch_jwks
from ._listing import Filters, ListOptions, batch, cancel_all, listed
from ._public_key import PublicKey, spelled
from ._receipt import ReceiptClaims, verify_receipt
from ._send_to_sign import Bytes, Expected, Options, Signed, SignOptions, one_message, prepare_call, several_messages
from ._settings import ClientOptions, settings_of
from ._steps import Exchange
from ._transport import AsyncTransport
from ._webhook import WebhookEvent, WebhookHeaders, verify_webhook
from ._wire import BatchResource, CancelledAll, Request, Signer, as_signer


class AsyncCountersign:
    """A Countersign server, or several that share a database: of these the next is called where one cannot be reached."""

    def __init__(
        self,
        base_url: str | Sequence[str],
        token: str | None = None,
        *,
        client: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        **options: Unpack[ClientOptions],
    ) -> None:
        """`token` is the bearer token that the operator has given out. A `client` of your own is not closed by this one."""
        self._settings = settings_of(base_url, token, options)
        self._own = None if client is not None else httpx.AsyncClient()
        self._transport = AsyncTransport(client or cast(httpx.AsyncClient, self._own), self._settings, sleep)
        self._keys = Keys(self._settings)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def send_to_sign(self, public_key: PublicKey, message: Bytes, **options: Unpack[SignOptions]) -> Signed:
        """Asks the wallet with this key to sign, waits, and gives a signature that has been verified here.

        Where its task is cancelled, or its deadline passes, it withdraws the request first, for 5 s at most. Raises
        `CountersignError`.
        """
        (result,) = await self._transport.run(
            _send_to_sign.sign(self._settings, prepare_call(public_key, one_message(message), options))
        )
        if isinstance(result, CountersignError):
            raise result
        return result

    async def send_to_sign_batch(
        self, public_key: PublicKey, messages: Sequence[Bytes], **options: Unpack[SignOptions]
    ) -> list[Signed | CountersignError]:
        """The same for 1 to 16 messages, which the human sees together and may approve one by one.

        For each, in their order, what was signed or why it was not. Raises `CountersignError` where none was asked,
        or the server can no longer say what became of them.
        """
        return await self._transport.run(
            _send_to_sign.sign(self._settings, prepare_call(public_key, several_messages(messages), options))
        )

    async def submit(self, public_key: PublicKey, message: Bytes, **options: Unpack[Options]) -> AsyncSubmitted:
        """Has a request written down, and does not wait for its end."""
        return (await self._submit(public_key, one_message(message), options))[0]

    async def submit_batch(
        self, public_key: PublicKey, messages: Sequence[Bytes], **options: Unpack[Options]
    ) -> list[AsyncSubmitted]:
        """The same for several messages in one prompt, in their order."""
        return await self._submit(public_key, several_messages(messages), options)

    async def _submit(
        self, public_key: PublicKey, messages: Bytes | Sequence[Bytes], options: Options
    ) -> list[AsyncSubmitted]:
        asked = prepare_call(public_key, messages, cast(SignOptions, options))
        requests = await self._transport.run(_send_to_sign.submit(self._settings, asked))
        return [AsyncSubmitted(self, request, one) for request, one in zip(requests, asked.expected, strict=True)]

    async def get(self, request_id: str) -> Request:
        """How a request stands."""
        return await self._transport.run(_requests.get(self._settings, request_id))

    async def wait(self, request_id: str, seconds: float = math.inf) -> Request:
        """How a request stands when it has ended, or after so many seconds. It outlasts restarts of the server."""
        return await self._transport.run(
            _requests.wait(self._settings, request_id, self._settings.monotonic() + seconds)
        )

    def follow(self, request_id: str) -> AsyncGenerator[Request, None]:
        """Each state of a request once, as they come, to the last. It outlasts restarts of the server."""
        return self._transport.iterate(follow(self._settings, request_id))

    async def cancel(self, request_id: str) -> Request:
        """Withdraws a request. One that has ended stays as it is, and is given so."""
        return await self._transport.run(_requests.cancel(self._settings, request_id))

    def list(self, **options: Unpack[ListOptions]) -> AsyncGenerator[Request, None]:
        """Your requests that the filters take, the newest first; fetched page by page as they are iterated."""
        return self._transport.iterate(listed(self._settings, options))

    async def batch(self, batch_id: str) -> BatchResource:
        """How several requests of one prompt stand."""
        return await self._transport.run(batch(self._settings, "GET", batch_id))

    async def cancel_batch(self, batch_id: str) -> BatchResource:
        """Withdraws what is open of a batch. What has ended stays as it is."""
        return await self._transport.run(batch(self._settings, "DELETE", batch_id))

    async def cancel_all(self, **filters: Unpack[Filters]) -> CancelledAll:
        """Withdraws what is open of what the filters take, a hundred at most: one filter beside `state` is needed."""
        return await self._transport.run(cancel_all(self._settings, filters))

    async def receipt(self, request_id: str) -> str:
        """How a request ended, signed by the server, for `verify_receipt`."""
        return await self._transport.run(_requests.receipt(self._settings, request_id))

    async def signer(self, public_key: PublicKey) -> Signer:
        """Whether a wallet with this key is connected, for the moment: ask without asking this first."""
        path = f"/v1/signers/{quote(spelled(public_key), safe='')}"
        exchange = Exchange("GET", path, timeout=self._settings.exchange_timeout)
        return as_signer(await self._transport.run(call_json(self._settings, exchange)))

    async def jwks(self) -> JwkSet:
        """The server's keys, to be kept beside receipts."""
        return await self._transport.run(fetch_jwks(self._settings))

    async def verify_receipt(
        self,
        jws: str,
        *,
        message: bytes | None = None,
        public_key: PublicKey | None = None,
        request_id: str | None = None,
        issuer: str | None = None,
    ) -> ReceiptClaims:
        """Verifies a receipt with the server's keys, which are fetched once an hour, or when it names another."""

        def check(jwks: JwkSet) -> ReceiptClaims:
            return verify_receipt(
                jws, jwks, message=message, public_key=public_key, request_id=request_id, issuer=issuer
            )

        return await self._transport.run(self._keys.use(check))

    async def verify_webhook(self, body: bytes, headers: WebhookHeaders, *, tolerance: float = 300) -> WebhookEvent:
        """Verifies a webhook with the server's keys, fetched once an hour, or once a minute where a signature is by another."""

        def check(jwks: JwkSet) -> WebhookEvent:
            return verify_webhook(body, headers, jwks, tolerance=tolerance, now=self._settings.time())

        return await self._transport.run(self._keys.use(check))


class AsyncSubmitted:
    """A request that has been written down."""

    def __init__(self, client: AsyncCountersign, request: Request, expected: Expected) -> None:
        self._client = client
        self._expected = expected
        #: How it stood when it was written down.
        self.request = request

    def __repr__(self) -> str:
        return f"AsyncSubmitted({self.request_id!r})"

    @property
    def request_id(self) -> str:
        return self.request.request_id

    async def get(self) -> Request:
        return self._checked(await self._client.get(self.request_id))

    async def wait(self, seconds: float = math.inf) -> Request:
        return self._checked(await self._client.wait(self.request_id, seconds))

    async def follow(self) -> AsyncGenerator[Request, None]:
        async for request in self._client.follow(self.request_id):
            yield self._checked(request)

    async def cancel(self) -> Request:
        return self._checked(await self._client.cancel(self.request_id))

    async def receipt(self) -> str:
        return await self._client.receipt(self.request_id)

    async def result(self) -> Signed:
        """Waits for the end, and gives the signature or raises why there is none."""
        return self._expected.signed(await self._client.wait(self.request_id))

    def _checked(self, request: Request) -> Request:
        self._expected.check(request)
        return request
