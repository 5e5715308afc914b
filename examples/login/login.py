"""Logs people in by their wallet's signature over a challenge that is of this site, this account and this browser."""

from __future__ import annotations

import json
import os
from typing import Annotated

from countersign import Countersign, CountersignError, UnknownRequestError, VerificationError
from fastapi import Cookie, FastAPI, HTTPException, Response
from logins import SESSION_S, Login, Logins, TooManyError
from pydantic import BaseModel, Field

SITE = os.environ.get("SITE", "http://127.0.0.1:9000")
LOGIN_S = 120
#: Whose key is whose, from your own records: written down when the account was made, and never what somebody says who logs in.
ACCOUNTS: dict[str, str] = json.loads(os.environ.get("ACCOUNTS", "{}"))

countersign = Countersign(
    os.environ.get("COUNTERSIGN_URL", "http://127.0.0.1:8080"), os.environ.get("COUNTERSIGN_TOKEN"), patience=10
)
logins = Logins(SITE, LOGIN_S)
app = FastAPI()


class Who(BaseModel):
    account: str = Field(pattern="^[a-z0-9_.-]{1,64}$")


def set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """For this site's own pages alone, and out of reach of their scripts."""
    is_https = SITE.startswith("https://")
    response.set_cookie(name, value, max_age=seconds, secure=is_https, httponly=True, samesite="strict")


@app.post("/login", status_code=202)
def begin(who: Who, response: Response) -> dict[str, str]:
    """Begins a login. The page shows the code, and looks every few seconds what has become of it."""
    try:
        cookie, login = logins.begin(who.account)
    except TooManyError:
        raise HTTPException(429, "a login is under way", {"Retry-After": str(LOGIN_S)}) from None
    # For an account that is none nobody is asked, and who tries it does not learn that.
    if who.account in ACCOUNTS:
        try:
            logins.asked(cookie, ask(ACCOUNTS[who.account], login))
        except CountersignError as error:
            logins.end(cookie)
            raise HTTPException(503, error.code, {"Retry-After": "5"}) from error
    set_cookie(response, "login", cookie, LOGIN_S)
    return {"code": login.code}


def ask(public_key: str, login: Login) -> str:
    purpose = f"Login at {SITE}, code {login.code}"
    asked = countersign.submit(public_key, login.message, purpose=purpose, queue=True, timeout_ms=LOGIN_S * 1_000)
    return asked.request_id


@app.post("/login/state")
def look(response: Response, login: Annotated[str, Cookie()] = "") -> dict[str, str]:
    """What has become of the login of this browser. Once it is signed, the answer has the session's cookie."""
    found = logins.find(login)
    if found is None:
        raise HTTPException(401, "no login is under way")
    try:
        state = state_of(found)
    except UnknownRequestError:
        state = "expired"
    except VerificationError as error:
        raise HTTPException(502, error.detail) from error
    except CountersignError as error:
        raise HTTPException(503, error.code, {"Retry-After": "5"}) from error
    if state == "open":
        return {"state": state}
    # Of several who come here one ends it, so that a login makes one session.
    if logins.end(login) is None:
        raise HTTPException(401, "no login is under way")
    response.delete_cookie("login")
    if state == "signed":
        set_cookie(response, "session", logins.session_of(found.account), SESSION_S)
    return {"state": state}


def state_of(login: Login) -> str:
    if login.request_id is None or not countersign.get(login.request_id).ended:
        return "open"
    claims = countersign.verify_receipt(
        countersign.receipt(login.request_id),
        message=login.message,
        public_key=ACCOUNTS[login.account],
        request_id=login.request_id,
    )
    # A wallet with a rule that signs everything says so. It would let in whoever knows the account's name.
    return claims.state if claims.state != "signed" or claims.approved_by == "human" else "not by a human"


@app.get("/me")
def me(session: Annotated[str, Cookie()] = "") -> dict[str, str]:
    account = logins.account_of(session)
    if account is None:
        raise HTTPException(401)
    return {"account": account}


@app.post("/logout", status_code=204)
def log_out(response: Response, session: Annotated[str, Cookie()] = "") -> None:
    logins.log_out(session)
    response.delete_cookie("session")
