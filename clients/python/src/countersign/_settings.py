"""What a client is made with, checked. No error here quotes the token."""

from __future__ import annotations

import math
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TypedDict

import httpx

from ._steps import Settings

_TOKEN = re.compile("[\x21-\x7e]{1,4096}")


class ClientOptions(TypedDict, total=False):
    """How a client is made; all optional."""

    #: How long a call is made again while the server cannot be reached or cannot answer, in seconds; 30 if left out.
    patience: float
    #: How long one answer may take, beside what it is asked to wait, in seconds; 15 if left out.
    exchange_timeout: float
    #: How long an answer may be; 4 MiB if left out.
    max_answer_bytes: int
    #: False: calls that wait are not written down by the server, which costs it nothing, and are not made again once they have been sent.
    durable: bool
    #: For tests: seconds that only go up.
    monotonic: Callable[[], float]
    #: For tests: seconds since the Unix epoch.
    time: Callable[[], float]
    #: For tests: from 0 to 1.
    random: Callable[[], float]
    #: For tests: names calls.
    uuid: Callable[[], str]


def settings_of(base_url: str | Sequence[str], token: str | None, options: ClientOptions) -> Settings:
    unknown = set(options) - ClientOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise ValueError("token is visible ASCII, without spaces or line ends")
    bases = [_base(text) for text in ([base_url] if isinstance(base_url, str) else base_url)]
    if not bases:
        raise ValueError("at least one server is needed")
    return Settings(
        bases=bases,
        token=token,
        patience=_number("patience", options.get("patience", 30.0), 0),
        exchange_timeout=_number("exchange_timeout", options.get("exchange_timeout", 15.0), 0.001),
        max_answer_bytes=int(_number("max_answer_bytes", options.get("max_answer_bytes", 4 << 20), 1)),
        durable=options.get("durable", True),
        monotonic=options.get("monotonic", time.monotonic),
        time=options.get("time", time.time),
        random=options.get("random", random.SystemRandom().random),
        uuid=options.get("uuid", lambda: str(uuid.uuid4())),
    )


def _number(name: str, value: object, least: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < math.inf:
        raise ValueError(f"{name} is a number from {least}")
    return value


def _base(text: str) -> str:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        raise ValueError("a server is a URL of http or https") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("a server is a URL of http or https")
    if url.userinfo or "?" in text or "#" in text:
        raise ValueError("a server's URL has no user, password, query or fragment")
    return str(url).rstrip("/")
