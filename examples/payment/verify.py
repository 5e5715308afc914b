"""python verify.py ID: what the stored receipt of a payment proves, years later and without a network."""

import json
import os
import sys

from store import Store

payment = Store(os.environ.get("DATABASE", "payments.db")).payment(sys.argv[1])
if payment is None or payment.receipt is None or payment.keys is None:
    sys.exit("there is no receipt of this payment")
claims = payment.verified(payment.receipt, json.loads(payment.keys))
print(f"{claims.state} by {claims.approved_by}:" if claims.signature else f"{claims.state} ({claims.code}):")
print(payment.message.decode())
