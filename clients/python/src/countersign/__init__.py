"""Asks the wallet in somebody's browser for an Ed25519 signature, and returns a verified one."""

from ._async_client import AsyncCountersign, AsyncSubmitted
from ._client import Countersign, Submitted
from ._ed25519 import verify as verify_ed25519
from ._errors import (
    CancelledError,
    CountersignError,
    DeadlineError,
    DeliveryTimeoutError,
    ExpiredError,
    FieldError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    KeyBlockedError,
    NetworkError,
    NoStoreError,
    NotEndedError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ReplacedRequestEndedError,
    SignerDisconnectedError,
    SignerNotConnectedError,
    UnauthorizedError,
    UnavailableError,
    UnknownKeyError,
    UnknownRequestError,
    VerificationError,
    WalletError,
)
from ._jwks import JwkSet
from ._listing import Filters, ListOptions
from ._receipt import ReceiptClaims, verify_receipt
from ._send_to_sign import Options, Signed, SignOptions
from ._settings import ClientOptions
from ._webhook import WebhookEvent, WebhookHeaders, WebhookKeys, verify_webhook
from ._wire import Batch, BatchResource, CancelledAll, Device, Request, Signer

__all__ = [
    "AsyncCountersign",
    "AsyncSubmitted",
    "Batch",
    "BatchResource",
    "CancelledAll",
    "CancelledError",
    "ClientOptions",
    "Countersign",
    "CountersignError",
    "DeadlineError",
    "DeliveryTimeoutError",
    "Device",
    "ExpiredError",
    "FieldError",
    "Filters",
    "IdempotencyKeyReusedError",
    "InvalidRequestError",
    "JwkSet",
    "KeyBlockedError",
    "ListOptions",
    "NetworkError",
    "NoStoreError",
    "NotEndedError",
    "Options",
    "ProtocolError",
    "RateLimitedError",
    "ReceiptClaims",
    "RejectedError",
    "ReplacedRequestEndedError",
    "Request",
    "SignOptions",
    "Signed",
    "Signer",
    "SignerDisconnectedError",
    "SignerNotConnectedError",
    "Submitted",
    "UnauthorizedError",
    "UnavailableError",
    "UnknownKeyError",
    "UnknownRequestError",
    "VerificationError",
    "WalletError",
    "WebhookEvent",
    "WebhookHeaders",
    "WebhookKeys",
    "verify_ed25519",
    "verify_receipt",
    "verify_webhook",
]
