"""The server's keys, fetched once an hour, and when something is signed by another key, once a minute at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from ._calls import call_json
from ._errors import CountersignError, UnknownKeyError
from ._jwks import JwkSet, signing_keys
from ._steps import Exchange, Settings, Steps

_KEPT_S = 3_600.0
_BETWEEN_S = 60.0
T = TypeVar("T")


def fetch_jwks(settings: Settings) -> Steps[JwkSet]:
    exchange = Exchange("GET", "/.well-known/jwks.json", timeout=settings.exchange_timeout)
    value = yield from call_json(settings, exchange, media_type="application/jwk-set+json")
    signing_keys(value)
    return cast(JwkSet, value)


class Keys:
    """Keeps the set between calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jwks: JwkSet | None = None
        self._fetched = float("-inf")
        self._tried = float("-inf")

    def use(self, check: Callable[[JwkSet], T]) -> Steps[T]:
        """What `check` gives with the keys that are kept, or with new ones where it knows none of these."""
        jwks = yield from self._kept()
        try:
            return check(jwks)
        except UnknownKeyError:
            if self._settings.monotonic() - self._tried < _BETWEEN_S:
                raise
        return check((yield from self._fetch()))

    def _kept(self) -> Steps[JwkSet]:
        now = self._settings.monotonic()
        if self._jwks is None:
            return (yield from self._fetch())
        if now - self._fetched >= _KEPT_S and now - self._tried >= _BETWEEN_S:
            try:
                return (yield from self._fetch())
            except CountersignError:
                # Keys do not go bad: what they verify was signed by the server.
                return self._jwks
        return self._jwks

    def _fetch(self) -> Steps[JwkSet]:
        self._tried = self._settings.monotonic()
        self._jwks = yield from fetch_jwks(self._settings)
        self._fetched = self._settings.monotonic()
        return self._jwks
