"""What a backend in Python does with the client that openapi-python-client makes."""

import json
import os

from countersign_httpx import Client
from countersign_httpx.api.asking import send_batch, send_to_sign
from countersign_httpx.api.requests import get_receipt, get_request
from countersign_httpx.models import Ask, AskBatch

key, nobody, message = (os.environ[name] for name in ("KEY", "NOBODY", "MESSAGE"))
with Client(base_url=os.environ["COUNTERSIGN_URL"], timeout=60) as client:
    one = Ask(public_key=key, message=message)
    signed = send_to_sign.sync(client=client, body=one)
    batch = send_batch.sync(client=client, body=AskBatch(public_key=key, messages=[message, message]))
    accepted = send_to_sign.sync_detailed(client=client, body=one, prefer="respond-async", idempotency_key="httpx")
    request_id = accepted.parsed.request_id
    ended = get_request.sync(request_id, client=client, wait=30)
    receipt = get_receipt.sync(request_id, client=client)
    problem = send_to_sign.sync(client=client, body=Ask(public_key=nobody, message=message))
    seen = {
        "signature": signed.signature,
        "batch": [request.signature for request in batch.requests],
        "accepted": accepted.status_code,
        "request_id": str(request_id),
        "state": ended.state.value,
        "ended_ms": ended.times.ended_ms,
        "receipt": receipt.receipt,
        "error": problem.code,
        "errorStatus": problem.status,
    }
    print(json.dumps(seen))
