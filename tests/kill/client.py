"""Listeners who send ratings to a server that comes and goes; prints what it said was stored.

python -m tests.kill.client PORT TEST.json OUT: until its standard input is closed.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import httpx

from mashnet.listening.questions import QUESTION_NAMES


def main(port: int, test: Path, out: Path) -> None:
    """Send ratings from two browsers until nobody wants them any more."""
    described = json.loads(test.read_text("utf-8"))
    ended = threading.Event()
    with out.open("w") as told:
        listeners = [
            threading.Thread(target=listen, args=(port, described, who, told, ended))
            for who in "ab"
        ]
        for listener in listeners:
            listener.start()
        sys.stdin.read()
        ended.set()
        for listener in listeners:
            listener.join()


def listen(port: int, test: dict, who: str, told, ended: threading.Event) -> None:  # type: ignore[no-untyped-def]
    """Send one rating after the other, each until it is stored, as the page does."""
    number = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as client:
        while not ended.is_set():
            token = f"{who}{number:031x}"
            answer = {
                "test": test["test"],
                "participant": f"p{who}",
                "item": test["items"][0]["id"],
                "rated_at": "2026-01-01T10:00:00.000Z",
                **dict.fromkeys(QUESTION_NAMES, 4),
                "heard": "no",
                "listened_s": 9.0,
                "comment": f"number {number}",
                "token": token,
            }
            try:
                reply = client.post("/api/ratings", json=answer).json()
            except httpx.TransportError:
                ended.wait(0.005)
                continue
            assert reply["stored"], reply
            print(token, file=told, flush=True)
            number += 1


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
