"""Payments that a customer approves in their wallet, and whose receipts are kept.

Each step is in this backend's own database before the next: a crash anywhere loses nothing, and asks nobody twice.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from countersign import (
    BatchResource,
    Countersign,
    CountersignError,
    InvalidRequestError,
    UnknownRequestError,
    VerificationError,
)
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from pydantic import BaseModel, Field
from store import Payment, Store

HOOK = os.environ.get("HOOK_URL", "http://127.0.0.1:9000/hook")
DAY_MS = 86_400_000
LONGEST_HOOK = 1 << 20
AGAIN_S = 5.0

store = Store(os.environ.get("DATABASE", "payments.db"))
countersign = Countersign(
    os.environ.get("COUNTERSIGN_URL", "http://127.0.0.1:8080"), os.environ.get("COUNTERSIGN_TOKEN"), patience=10
)


class Order(BaseModel):
    """`public_key` is from your own records of the customer, never from the customer's browser."""

    public_key: str = Field(max_length=256)
    cents: int = Field(gt=0, le=100_000_000)
    to: str = Field(pattern=r"^[\w .,&'-]{1,70}$")


PaymentId = Annotated[str, Path(pattern="^[A-Za-z0-9-]{1,64}$")]


def ask(payment: Payment) -> None:
    """Asks under the payment's own idempotency key, so that it is the same request however often this is done."""
    try:
        submitted = countersign.submit(
            payment.public_key,
            payment.message,
            purpose=f"Payment {payment.id}",
            queue=True,
            timeout_ms=DAY_MS,
            webhook=HOOK,
            idempotency_key=f"payment-{payment.id}",
        )
    except (InvalidRequestError, ValueError) as error:
        # The same call will always fail; a key that is none fails here already.
        store.settle(payment.id, f"failed: {getattr(error, 'code', 'invalid_public_key')}")
        return
    store.asked(payment.id, submitted.request_id)
    if submitted.request.ended:
        settle(payment, submitted.request_id)


def settle(payment: Payment, request_id: str) -> None:
    """Keeps the receipt of a request that has ended, with the keys that it is verified by."""
    receipt, keys = countersign.receipt(request_id), countersign.jwks()
    claims = payment.verified(receipt, keys)
    # Of several who come here one settles it. What has to happen once, happens there, in the same transaction.
    if store.settle(payment.id, claims.state, receipt, keys):
        print(f"payment {payment.id}: {claims.state}", flush=True)


def look(payment: Payment) -> None:
    """What became of a payment while nobody listened."""
    try:
        if payment.request_id is None:
            ask(payment)
        elif countersign.get(payment.request_id).ended:
            settle(payment, payment.request_id)
    except UnknownRequestError:
        store.settle(payment.id, "failed: unknown_request")


def recover(stop: threading.Event) -> None:
    """Looks at whatever was open when this backend ended, until the server has answered for each."""
    left = store.open_payments()
    while left:
        payment = left.pop(0)
        try:
            look(payment)
        except CountersignError as error:
            print(f"payment {payment.id}: {error.code}, once more", flush=True)
            left.append(payment)
            if stop.wait(AGAIN_S):
                return


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    stop = threading.Event()
    threading.Thread(target=recover, args=(stop,), daemon=True).start()
    yield
    stop.set()


app = FastAPI(lifespan=lifespan)


@app.put("/payments/{payment_id}", status_code=202)
def pay(payment_id: PaymentId, order: Order) -> dict[str, str]:
    """May be called again, as after a 503: it is the same payment."""
    amount = f"{order.cents // 100}.{order.cents % 100:02} EUR"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    message = f"Pay {amount} to {order.to}\nPayment {payment_id} at example.com, {now}".encode()
    payment = store.add(payment_id, order.model_dump_json(), order.public_key, message)
    if payment is None:
        raise HTTPException(409, "another payment has this id")
    if payment.state == "open" and payment.request_id is None:
        try:
            ask(payment)
        except CountersignError as error:
            raise HTTPException(503, error.code, {"Retry-After": "5"}) from error
    return show(payment_id)


@app.get("/payments/{payment_id}")
def show(payment_id: PaymentId) -> dict[str, str]:
    payment = store.payment(payment_id)
    if payment is None:
        raise HTTPException(404)
    return {"id": payment.id, "state": payment.state}


async def body_of(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_HOOK:
            raise HTTPException(413)
    return body


@app.post("/hook", status_code=204)
def hook(request: Request, body: Annotated[bytes, Depends(body_of)]) -> None:
    """Told that a request has ended. It may come twice, and before `pay` has heard of the request: then the server comes again."""
    try:
        event = countersign.verify_webhook(body, request.headers.items())
        if isinstance(event.data, BatchResource):
            raise HTTPException(404)
        payment = store.by_request(event.data.request_id)
        if payment is None:
            raise HTTPException(404)
        if payment.state == "open":
            settle(payment, event.data.request_id)
    except VerificationError as error:
        raise HTTPException(400, error.detail) from error
    except CountersignError as error:
        raise HTTPException(503, error.code) from error
