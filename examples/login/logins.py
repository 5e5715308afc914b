"""Logins that are under way, and the sessions that came of them: in memory, bounded, and each login good for one session."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace

MOST_LOGINS = 1_000
MOST_SESSIONS = 10_000
SESSION_S = 8 * 3_600


class TooManyError(Exception):
    """The account has a login under way, or there are too many in all."""


@dataclass(frozen=True)
class Login:
    account: str
    #: What the page shows, and the wallet too.
    code: str
    #: The very bytes that are to be signed.
    message: bytes
    ends_at: float
    #: None where nobody is asked.
    request_id: str | None = None


def challenge(site: str, account: str, code: str, cookie: str, until: float) -> bytes:
    """What is signed: for this site, this account and the browser that has the cookie, and for nothing else at any time."""
    session = urlsafe_b64encode(hashlib.sha256(cookie.encode()).digest()).decode().rstrip("=")
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    return f"Log in to {site} as {account}\nOnly if your page shows {code}\nUntil {ends}\nSession {session}".encode()


class Logins:
    """`seconds` is how long a login may take."""

    def __init__(self, site: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        #: By the cookie of the browser that began them.
        self._logins: dict[str, Login] = {}
        self._sessions: dict[str, tuple[str, float]] = {}

    def begin(self, account: str) -> tuple[str, Login]:
        """A login and the cookie of its browser. One at a time for each account, or anybody could have its owner asked without end."""
        now = self._clock()
        with self._lock:
            self._logins = {cookie: login for cookie, login in self._logins.items() if login.ends_at > now}
            if len(self._logins) >= MOST_LOGINS or any(login.account == account for login in self._logins.values()):
                raise TooManyError
            cookie, code = secrets.token_urlsafe(32), f"{secrets.randbelow(10_000):04}"
            ends_at = now + self._seconds
            login = Login(account, code, challenge(self._site, account, code, cookie, ends_at), ends_at)
            self._logins[cookie] = login
            return cookie, login

    def asked(self, cookie: str, request_id: str) -> None:
        with self._lock:
            if login := self._logins.get(cookie):
                self._logins[cookie] = replace(login, request_id=request_id)

    def find(self, cookie: str) -> Login | None:
        with self._lock:
            login = self._logins.get(cookie)
        return login if login and login.ends_at > self._clock() else None

    def end(self, cookie: str) -> Login | None:
        """The login, to whoever ends it first."""
        login = self.find(cookie)
        with self._lock:
            return login if self._logins.pop(cookie, None) else None

    def session_of(self, account: str) -> str:
        """A new session, whose cookie nobody has known before."""
        session = secrets.token_urlsafe(32)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[session] = account, self._clock() + SESSION_S
        return session

    def account_of(self, session: str) -> str | None:
        with self._lock:
            account, ends_at = self._sessions.get(session, ("", 0.0))
        return account if ends_at > self._clock() else None

    def log_out(self, session: str) -> None:
        with self._lock:
            self._sessions.pop(session, None)
