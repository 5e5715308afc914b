"""python quickstart.py KEY: asks the wallet with this key, and prints what it has verified."""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from countersign import Countersign

env = os.environ.get
countersign = Countersign(env("COUNTERSIGN_URL", "http://127.0.0.1:8080"), env("COUNTERSIGN_TOKEN"))
public_key, port = sys.argv[1], int(env("PORT", "9000"))
message = f"Pay 25 EUR to Alice for order 1042, {time.ctime()}".encode()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        print("webhook:", countersign.verify_webhook(body, self.headers.items()).data.state)
        self.send_response_only(204)
        self.end_headers()


with HTTPServer(("127.0.0.1", port), Hook) as hook:
    signed = countersign.send_to_sign(public_key, message, webhook=f"http://127.0.0.1:{port}/hook")
    print("signature:", signed.signature.hex())
    claims = countersign.verify_receipt(countersign.receipt(signed.request_id), message=message, public_key=public_key)
    print("receipt:", claims.state, "by", claims.approved_by)
    hook.handle_request()
