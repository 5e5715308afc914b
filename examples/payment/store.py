"""The payments of this backend, in SQLite: what was asked, and the receipt of what became of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from countersign import JwkSet, ReceiptClaims, verify_receipt


@dataclass(frozen=True)
class Payment:
    id: str
    public_key: str
    #: The very bytes that are signed, so that asking again asks for the same.
    message: bytes
    #: `open`, how its request ended, or `failed: ` and why none could be made.
    state: str
    request_id: str | None
    receipt: str | None
    #: The server's keys at that time, in JSON.
    keys: str | None

    def verified(self, receipt: str, keys: JwkSet) -> ReceiptClaims:
        """What a receipt says of this payment; needs no network. Raises `VerificationError`."""
        return verify_receipt(receipt, keys, message=self.message, public_key=self.public_key)


class Store:
    def __init__(self, path: str) -> None:
        self.path = path
        with self._transaction() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, message BLOB NOT NULL,"
                " state TEXT NOT NULL, request_id TEXT UNIQUE, receipt TEXT, keys TEXT, order_json TEXT NOT NULL)"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            yield db

    def add(self, payment_id: str, order: str, public_key: str, message: bytes) -> Payment | None:
        """The payment with this id, now or before; None where it is another one."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO payments (id, public_key, message, state, order_json) VALUES (?, ?, ?, 'open', ?) ON CONFLICT DO NOTHING",
                (payment_id, public_key, message, order),
            )
            known = db.execute("SELECT 1 FROM payments WHERE id = ? AND order_json = ?", (payment_id, order)).fetchone()
        return self.payment(payment_id) if known else None

    def asked(self, payment_id: str, request_id: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE payments SET request_id = ? WHERE id = ?", (request_id, payment_id))

    def settle(self, payment_id: str, state: str, receipt: str | None = None, keys: JwkSet | None = None) -> bool:
        """Whether it was open until now."""
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE payments SET state = ?, receipt = ?, keys = ? WHERE id = ? AND state = 'open'",
                (state, receipt, json.dumps(keys), payment_id),
            )
            return changed.rowcount == 1

    def payment(self, payment_id: str) -> Payment | None:
        return next(self._all("SELECT * FROM payments WHERE id = ?", payment_id), None)

    def by_request(self, request_id: str) -> Payment | None:
        return next(self._all("SELECT * FROM payments WHERE request_id = ?", request_id), None)

    def open_payments(self) -> list[Payment]:
        return list(self._all("SELECT * FROM payments WHERE state = ?", "open"))

    def _all(self, statement: str, value: str) -> Iterator[Payment]:
        with self._transaction() as db:
            rows = db.execute(statement, (value,)).fetchall()
        return (Payment(*row[:-1]) for row in rows)
