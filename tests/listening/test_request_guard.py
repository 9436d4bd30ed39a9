"""Pages of other servers, other names for this one, silent connections, too much of one client."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from mashnet.listening import connections, ratings_file
from mashnet.listening import request_guard as visitors
from mashnet.listening.folder import read_test
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating, latest
from mashnet.listening.ratings_file import RatingsFile, read_ratings
from mashnet.listening.server import application, serve
from tests.listening.serving import Server

LOCAL = pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"])
HERE = "http://127.0.0.1:8000"
OTHERS = ["http://evil.example", "null", "http://127.0.0.1:3000", "http://localhost", "file://"]
MakeRating = Callable[..., Rating]


def answer(folder: Path, **changes: Any) -> dict[str, Any]:
    test = read_test(folder)
    values = {"test": test["test"], "participant": "anna", "item": test["items"][0]["id"]}
    values |= {"rated_at": "2026-01-01T10:00:00.000Z", **dict.fromkeys(QUESTION_NAMES, 4)}
    return {**values, "heard": "no", "listened_s": 3.2, "comment": "", "token": "a" * 32, **changes}


@pytest.fixture
def ratings(built: Path) -> Iterator[RatingsFile]:
    opened = RatingsFile(built)
    yield opened
    opened.close()


@pytest.fixture
def client(built: Path, ratings: RatingsFile) -> TestClient:
    names = ["listen.example.org"]
    return TestClient(application(built, ratings, names=names), base_url=HERE)


@pytest.mark.parametrize("origin", OTHERS)
def test_a_page_of_another_server_stores_nothing(
    client: TestClient, built: Path, origin: str
) -> None:
    reply = client.post("/api/ratings", json=answer(built), headers={"Origin": origin})
    assert reply.status_code == 403
    assert read_ratings(built / "ratings.csv") == ([], [])


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_of_the_site_counts(client: TestClient, built: Path, site: str) -> None:
    reply = client.post("/api/ratings", json=answer(built), headers={"Sec-Fetch-Site": site})
    assert reply.status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/plain; application/json"]
)
def test_a_kind_that_pages_send_without_asking_is_refused(
    client: TestClient, built: Path, kind: str
) -> None:
    content = json.dumps(answer(built))
    reply = client.post("/api/ratings", content=content, headers={"Content-Type": kind})
    assert reply.status_code == 415
    assert read_ratings(built / "ratings.csv") == ([], [])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
def test_another_name_for_this_address_gets_nothing(client: TestClient, host: str) -> None:
    for path in ("/", "/test.json", "/api/answers/anna"):
        reply = client.get(path, headers={"Host": host})
        assert reply.status_code == 421 and "start it with names=" in reply.json()["reason"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8000", None),
        ("127.0.0.1:8000", HERE),
        ("localhost:8000", "http://localhost:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("192.168.0.5", "http://192.168.0.5"),
        ("LISTEN.example.org", "https://listen.example.org"),
        ("127.0.0.1:8000", "https://listen.example.org"),  # behind a web server with TLS
    ],
)
def test_its_own_page_is_heard(
    client: TestClient, built: Path, host: str, origin: str | None
) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    reply = client.post("/api/ratings", json=answer(built), headers=headers)
    assert reply.json() == {"stored": True, "new": True}


def test_one_client_stores_so_much(
    client: TestClient, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(number: int, who: str = "anna") -> int:
        sent = answer(built, participant=who, token=f"{number:032x}")
        return client.post("/api/ratings", json=sent).status_code

    monkeypatch.setattr(visitors, "_ALWAYS_OF_NAME", 3)
    monkeypatch.setattr(visitors, "_PER_CLIP", 1)
    assert [send(number) for number in range(4)] == [200, 200, 200, 429]
    assert send(4, "berta") == 200
    monkeypatch.setattr(visitors, "_MOST_OF_ADDRESS", 5)
    assert [send(5, "carl"), send(6, "dora")] == [200, 429]
    monkeypatch.setattr(visitors, "_MOST_OF_ADDRESS", 50)
    monkeypatch.setattr(ratings_file, "MOST_BYTES", (built / "ratings.csv").stat().st_size + 20)
    assert send(7, "emil") == 507


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as opened:
        opened.sendall(b"GET /test.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return opened.recv(100)


@LOCAL
def test_silent_connections_stop_nobody(built: Path) -> None:
    """Half of them say nothing, the others begin a request and never end it."""
    server = Server(built)
    silent = []
    try:
        for number in range(connections.MOST_AT_ONCE + 20):
            opened = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            opened.sendall(b"GET / HTTP/1.1\r\nX: " * (number % 2))
            silent.append(opened)
        assert b" 200 " in ask(server.port)
        begun = time.monotonic()
        silent[-1].settimeout(2 * connections.SILENT_S + 5)
        try:
            ended = silent[-1].recv(100)
        except ConnectionResetError:
            ended = b""
        assert ended == b"" and time.monotonic() - begun < 2 * connections.SILENT_S + 4
        assert b" 200 " in ask(server.port)
    finally:
        for opened in silent:
            opened.close()
        server.kill()


@LOCAL
def test_ratings_whose_body_never_comes_stop_nobody(built: Path) -> None:
    head = (
        "POST /api/ratings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: {}\r\n\r\n"
    )
    body = json.dumps(answer(built)).encode()
    server = Server(built)
    waiting = []

    def stall(count: int) -> None:
        for number in range(count):
            opened = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            opened.sendall(head.format(500).encode() + b"{" * (number % 2))
            waiting.append(opened)

    try:
        stall(connections.MOST_AT_ONCE)
        for _ in range(2):
            begun = time.monotonic()
            assert b" 200 " in ask(server.port)
            # A rating that comes in pieces, while others go on stalling, is stored as well.
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as honest:
                honest.sendall(head.format(len(body)).encode())
                for start in range(0, len(body), 200):
                    stall(20)
                    honest.sendall(body[start : start + 200])
                assert b" 200 " in honest.recv(100)
            assert time.monotonic() - begun < 8
        stored, warnings = read_ratings(built / "ratings.csv")
        assert len(stored) == 1 and warnings == []
        for opened in waiting:
            opened.close()
        server.process.terminate()
        assert server.process.stdout is not None
        assert "Traceback" not in server.process.stdout.read()
    finally:
        for opened in waiting:
            opened.close()
        server.kill()


@LOCAL
def test_a_client_does_not_choose_the_address_that_is_counted(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    class NoServer:
        def __init__(self, config: uvicorn.Config) -> None:
            config.load()
            self.client = TestClient(config.loaded_app, HERE, client=("127.0.0.1", 50_000))

        def run(self, sockets: list[socket.socket]) -> None:
            for number in range(4):
                sent = answer(built, participant=f"p{number}", token=f"{number:032x}")
                headers = {"X-Forwarded-For": f"10.0.0.{number}"}
                found.append(
                    self.client.post("/api/ratings", json=sent, headers=headers).status_code
                )

    monkeypatch.setattr(visitors, "_MOST_OF_ADDRESS", 2)
    monkeypatch.setattr("uvicorn.Server", NoServer)
    serve(built, host="127.0.0.1", port=0)
    assert found == [200, 200, 429, 429]


def test_the_server_counts_and_no_clock(
    tmp_path: Path, ratings: RatingsFile, make_rating: MakeRating
) -> None:
    for hour, overall in ((12, 1), (9, 2), (12, 3)):  # the server's clock is set back, too
        time_of_day = f"2026-01-01T{hour:02}:00:00+00:00"
        ratings.append(make_rating(received_at=time_of_day, rated_at=time_of_day, overall=overall))
    stored, _ = read_ratings(ratings.path)
    assert [r.answers["overall"] for r in stored] == [1, 2, 3]
    assert sorted(stored, key=lambda r: r.received_at) == stored
    assert len({r.received_at for r in stored}) == 3
    for order in (stored, stored[::-1]):  # a spreadsheet program may have sorted them anew
        assert latest(order)["anna", "i1"].answers["overall"] == 3


def test_a_failed_write_after_which_nothing_can_be_cut_off_costs_no_other_rating(
    ratings: RatingsFile, make_rating: MakeRating, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, lost, following = make_rating(), make_rating(), make_rating()
    ratings.append(first)
    write = os.write

    def refuse(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda handle, data: write(handle, data[:10]))
        patched.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="full"):
            ratings.append(lost)
        with pytest.raises(OSError, match="Input/output"):  # nothing is written behind half a line
            ratings.append(following)
    assert ratings.append(following) and ratings.append(lost)
    stored, warnings = read_ratings(ratings.path)
    assert warnings == [] and [r.token for r in stored] == [
        r.token for r in (first, following, lost)
    ]


@pytest.mark.parametrize("harm", ["deleted", "moved", "replaced"])
def test_a_file_that_is_gone_stores_nothing(
    ratings: RatingsFile, make_rating: MakeRating, harm: str
) -> None:
    rating = make_rating()
    ratings.append(rating)
    ratings.path.rename(ratings.path.with_suffix(".old"))
    if harm == "replaced":
        ratings.path.write_bytes(ratings.path.with_suffix(".old").read_bytes())
    for one in (rating, make_rating()):
        with pytest.raises(OSError, match=r"moved or deleted; start the server again"):
            ratings.append(one)


def test_a_pipe_in_place_of_the_ratings_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ratings.csv")
    with pytest.raises(Exception, match="is a pipe or a device"):
        RatingsFile(tmp_path)


def test_answers_say_which_tokens_are_stored(client: TestClient, built: Path) -> None:
    for number in range(2):
        client.post("/api/ratings", json=answer(built, overall=number + 1, token=f"{number:032x}"))
    (known,) = client.get("/api/answers/anna").json().values()
    assert known["overall"] == 2 and known["tokens"] == [f"{number:032x}" for number in range(2)]
