"""Follows the events at an address with PyPI's sseclient, as a backend would, and writes a line of JSON for each event and each answer."""

import contextlib
import json
import sys

import requests
from sseclient import SSEClient


class Over(Exception):
    """The server has nothing more to tell."""


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def note(response: requests.Response, **_: object) -> None:
    say(status=response.status_code, seen=response.request.headers.get("Last-Event-ID"))
    # sseclient takes it for one more stream that has broken off.
    if response.status_code == 204:
        raise Over


def follow(url: str) -> None:
    session = requests.Session()
    session.hooks["response"].append(note)
    # sseclient reads the socket itself, so that it hears no other end of a stream than that of the connection.
    events = SSEClient(url, session=session, headers={"Connection": "close"})
    while True:
        try:
            event = next(events)
        except requests.ConnectionError:
            # Nobody listens while the server starts; it pauses by itself before it connects again.
            say(refused=True)
            continue
        # It takes comments for events too.
        if event.data:
            say(event=event.event, id=event.id)


# It prints what has broken off.
with contextlib.suppress(Over):
    follow(sys.argv[1])
say(over=True)
