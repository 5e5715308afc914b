"""What a backend in Python does with the client that openapi-generator makes."""

import json
import os

from countersign_generated import ApiClient, AskingApi, Configuration, RequestsApi
from countersign_generated.exceptions import NotFoundException
from countersign_generated.models import Ask, AskBatch

key, nobody, message = (os.environ[name] for name in ("KEY", "NOBODY", "MESSAGE"))
with ApiClient(Configuration(host=os.environ["COUNTERSIGN_URL"])) as client:
    asking, requests = AskingApi(client), RequestsApi(client)
    one = Ask(public_key=key, message=message)
    signed = asking.send_to_sign(one)
    batch = asking.send_batch(AskBatch(public_key=key, messages=[message, message]))
    accepted = asking.send_to_sign_with_http_info(one, prefer="respond-async", idempotency_key="python")
    request_id = accepted.data.request_id
    ended = requests.get_request(request_id, wait=30)
    receipt = requests.get_receipt(request_id)
    try:
        asking.send_to_sign(Ask(public_key=nobody, message=message))
        raise SystemExit("no error of the API")
    except NotFoundException as error:
        problem = error.data
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
