"""What schemathesis has to know of the API that its schemas cannot say, and checks of ours beside its own."""

from __future__ import annotations

import base64
import json
from typing import Any

import schemathesis
from hypothesis import strategies as st

#: The key of the wallet that is connected, in its spellings, and one of nobody's (RFC 8032 §7.1, tests 1 and 2).
WALLET = [
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z",
    "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw",
]
NOBODY = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
WEBHOOK = "https://backend.example/hooks/countersign"
SHORTEST_MS, LONGEST_MS = 1_000, 604_800_000

#: The codes of calls that are in order by the schemas and refused all the same, and what it is that no schema can say.
BEYOND_SCHEMAS = {
    "invalid_public_key": "a key is a point of the curve, in its prime-order subgroup",
    "invalid_message": "base64 is canonical",
    "reserved_prefix": "some bytes are the protocol's own",
    "invalid_purpose": "bytes are counted and not characters, and some characters are refused",
    "invalid_reference": "likewise",
    "invalid_metadata": "likewise, and all together",
    "invalid_delivery_timeout": "it is compared with timeout_ms",
    "invalid_idempotency_key": "it is visible ASCII, bare or quoted",
    "idempotency_key_reused": "it goes by earlier calls",
    "webhook_not_allowed": "it goes by what the operator allows",
    "signer_not_connected": "it goes by which wallets there are",
    "unknown_request": "it goes by which requests there are",
    "not_ended": "it goes by how a request stands",
    "cancelled": "another call has withdrawn it meanwhile",
    "too_many_inflight": "it goes by what else is open",
    "delivery_timeout": "it goes by what the wallet does",
    "timeout": "likewise",
    "upgrade_required": "it speaks WebSocket, which nothing here does",
}
#: Where `malformed` says that too.
MALFORMED = {
    "GET /v1/requests": "a cursor is one that a list has given, an idempotency key is visible ASCII",
    "DELETE /v1/requests": "one filter beside state is needed, an idempotency key is visible ASCII",
    "GET /ws": "it speaks WebSocket, which nothing here does",
}
#: What never succeeds here.
UNREACHED = {"GET /ws": "it speaks WebSocket, which nothing here does"}

FORMATS = {
    "public-key": st.sampled_from([*WALLET, *WALLET, NOBODY]),
    "message": st.binary(min_size=1, max_size=64).map(lambda message: base64.b64encode(message).decode()),
    "webhook": st.just(WEBHOOK),
    "idempotency-key": st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), min_size=1, max_size=255),
    "metadata-name": st.from_regex("[A-Za-z0-9_.-]{1,40}", fullmatch=True),
}
for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)

#: Which parts of the schemas are of these formats: those that are hardly ever met by chance, and have no lengths to be tried.
FORMAT_OF = {
    "public_key": "public-key",
    "webhook": "webhook",
    "message": "message",
    "Idempotency-Key": "idempotency-key",
}


@schemathesis.hook
def before_load_schema(_context: object, raw_schema: dict[str, Any]) -> None:
    """Says in the schemas what the description says in words, for this test alone."""
    schemas = raw_schema["components"]["schemas"]
    for ask in (schemas["Ask"], schemas["AskBatch"]):
        for name, schema in ask["properties"].items():
            if name == "messages":
                schema["items"]["format"] = "message"
            if name == "metadata":
                schema["propertyNames"] = {"format": "metadata-name"}
            if name in FORMAT_OF:
                schema["format"] = FORMAT_OF[name]
            # `null` is as good as no field. Generated clients would make something else of that.
            if name not in ask["required"]:
                schema["type"] = [schema["type"], "null"]
    for item in raw_schema["paths"].values():
        for parameter in [
            *item.get("parameters", []),
            *(one for of in methods(item) for one in of.get("parameters", [])),
        ]:
            if parameter["name"] in FORMAT_OF:
                parameter["schema"]["format"] = FORMAT_OF[parameter["name"]]
    # OpenAPI 3.1 has no schema for an event of a stream; schemathesis takes this one for that.
    events = raw_schema["paths"]["/v1/requests/{id}/events"]["get"]["responses"]["200"]["content"]
    events["text/event-stream"] = {
        "schema": {
            "type": "object",
            "required": ["event", "data", "id"],
            "properties": {
                "event": {"$ref": "#/components/schemas/State"},
                "id": {"$ref": "#/components/schemas/State"},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": "#/components/schemas/Request"},
                },
            },
        }
    }


def methods(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for method, operation in item.items() if method in {"get", "post", "put", "patch", "delete"}]


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: object) -> None:
    """What may wait for a wallet that never comes waits for a second, and so does whoever waits for its end or follows it."""
    body = case.body
    if not isinstance(body, dict) or body.get("queue") is not True:
        return
    for name in ("timeout_ms", "delivery_timeout_ms"):
        given = body.get(name)
        is_in_order = isinstance(given, int) and SHORTEST_MS <= given <= LONGEST_MS
        if is_in_order or (name == "timeout_ms" and given is None):
            body[name] = SHORTEST_MS


def label(case: Any) -> str:
    return f"{case.operation.method.upper()} {case.operation.path}"


def code_of(response: Any) -> str | None:
    if not response.headers.get("content-type", [""])[0].startswith("application/problem+json"):
        return None
    code: str = json.loads(response.content)["code"]
    return code


@schemathesis.check
def refusals_say_what_schemas_cannot(_context: object, response: Any, case: Any) -> None:
    """A call that is in order by the schemas is never refused for its form: in place of `positive_data_acceptance`."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    code = code_of(response)
    if code == "malformed" and label(case) in MALFORMED:
        return
    assert code in BEYOND_SCHEMAS, (
        f"{response.status_code} {code} for what the description allows: {response.text[:500]}"
    )


@schemathesis.check
class EveryOperationSucceeds:
    """Each has been answered with a success at least once, or there would be nothing that was tried."""

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self.reached: set[str] = set()

    def after_response(self, _context: object, response: Any, case: Any) -> None:
        self.tried.add(label(case))
        if response.status_code < 300:
            self.reached.add(label(case))

    def after_run(self, _context: object) -> None:
        missed = self.tried - self.reached - UNREACHED.keys()
        assert not missed, f"never answered with a success: {', '.join(sorted(missed))}"
