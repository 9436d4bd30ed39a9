"""The server: what it gives, what it takes, and that nothing it said was stored is ever lost."""

import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from mashnet.errors import ConfigError, DatabaseError
from mashnet.listening import __main__ as program
from mashnet.listening.folder import read_key, read_test
from mashnet.listening.order import order_of
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings_file import RatingsFile, read_ratings
from mashnet.listening.server import application, listen_on, serve
from tests.listening.serving import Server

LOCAL = pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"])
JSON = {"Content-Type": "application/json"}
Send = Callable[..., dict[str, Any]]


@pytest.fixture
def client(built: Path) -> Iterator[TestClient]:
    ratings = RatingsFile(built)
    yield TestClient(application(built, ratings), base_url="http://127.0.0.1:8000")
    ratings.close()


@pytest.fixture
def make_answer(built: Path) -> Send:
    """Return a function that makes what the page sends."""
    test = read_test(built)

    def answer(**changes: Any) -> dict[str, Any]:
        values = {
            "test": test["test"],
            "participant": "anna",
            "item": test["items"][0]["id"],
            "rated_at": "2026-01-01T10:00:00.000Z",
            **dict.fromkeys(QUESTION_NAMES, 4),
            "heard": "no",
            "listened_s": 3.2,
            "comment": "ok",
            "token": "a" * 32,
        }
        return {**values, **changes}

    return answer


def test_the_page_and_its_parts(client: TestClient, built: Path) -> None:
    page = client.get("/?p=anna")
    assert page.status_code == 200 and "A &lt;small&gt; test" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/page.js").headers["content-type"].startswith("text/javascript")
    test = client.get("/test.json").json()
    assert [q["name"] for q in test["questions"]] == list(QUESTION_NAMES)
    item = test["items"][0]["id"]
    sound = client.get(f"/audio/{item}.flac")
    assert sound.content == (built / "page" / "audio" / f"{item}.flac").read_bytes()
    assert sound.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    part = client.get(f"/audio/{item}.flac", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == sound.content[100:200]


@pytest.mark.parametrize(
    "path",
    [
        "/key.json",
        "/ratings.csv",
        "/../key.json",
        "/%2e%2e/key.json",
        "/..%2fkey.json",
        "/audio/../../key.json",
        "/audio/..%2f..%2fkey.json",
        "/audio/%2e%2e%2f%2e%2e%2fkey.json",
        "/audio/....//key.json",
        "/audio/key.json",
        "/audio/",
        "/audio",
        "/page/test.json",
        "/docs",
        "/openapi.json",
        "/api/answers/../../key.json",
        "//etc/passwd",
    ],
)
def test_no_way_out_of_the_page(client: TestClient, built: Path, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 404, path
    assert read_key(built / "key.json")["secret"] not in reply.text


@LOCAL
def test_no_way_out_for_addresses_that_clients_would_tidy_and_a_stop_by_hand(built: Path) -> None:
    server = Server(built)
    try:
        for path in ("/../key.json", "/audio/../../key.json", "/page.js/../../key.json"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
                request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                raw.sendall(request.encode())
                reply = b"".join(iter(lambda raw=raw: raw.recv(65536), b""))
            assert b" 404 " in reply.split(b"\r\n")[0] and b"secret" not in reply
        server.process.send_signal(signal.SIGINT)
        said, _ = server.process.communicate(timeout=20)
        assert server.process.returncode == 130 and "Traceback" not in said
    finally:
        server.kill()


def test_a_rating_is_a_row_and_comes_back(
    client: TestClient, built: Path, make_answer: Send
) -> None:
    assert client.post("/api/ratings", json=make_answer()).json() == {"stored": True, "new": True}
    (rating,), warnings = read_ratings(built / "ratings.csv")
    assert warnings == []
    test = read_test(built)
    order = order_of(test["test"], "anna", [item["id"] for item in test["items"]])
    assert rating.position == order.index(rating.item) + 1
    assert rating.answers["timbre"] == 4 and rating.received_at
    known = client.get("/api/answers/anna").json()
    assert known[rating.item]["overall"] == 4 and known[rating.item]["comment"] == "ok"
    assert client.get("/api/answers/berta").json() == {}


def test_sent_twice_is_one_row_changed_is_two(
    client: TestClient, built: Path, make_answer: Send
) -> None:
    for _ in range(3):
        reply = client.post("/api/ratings", json=make_answer())
        assert reply.status_code == 200 and reply.json()["stored"]
    assert not reply.json()["new"]
    changed = make_answer(overall=1, rated_at="2026-01-01T10:05:00Z", token="b" * 32)
    client.post("/api/ratings", json=changed)
    assert len(read_ratings(built / "ratings.csv")[0]) == 2
    assert client.get("/api/answers/anna").json()[changed["item"]]["overall"] == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"overall": 6}, "overall"),
        ({"overall": "DROP TABLE"}, "overall"),
        ({"heard": "perhaps"}, "heard"),
        ({"participant": "a/b"}, "participant"),
        ({"item": "0" * 16}, "no such clip"),
        ({"test": "another"}, "another test"),
        ({"listened_s": 0.0}, "must be played"),
        ({"token": ""}, "token"),
        ({"comment": "x" * 3000}, "comment"),
    ],
)
def test_what_is_out_of_range_is_refused_and_not_written(
    client: TestClient, built: Path, make_answer: Send, changes: dict[str, Any], said: str
) -> None:
    reply = client.post("/api/ratings", json=make_answer(**changes))
    assert reply.status_code == 422 and said in reply.json()["reason"]
    assert read_ratings(built / "ratings.csv") == ([], [])


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 20000, b"null"])
def test_what_is_no_rating_at_all(client: TestClient, body: bytes) -> None:
    assert client.post("/api/ratings", content=body, headers=JSON).status_code == 422


def test_a_body_without_end_is_refused(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    assert client.post("/api/ratings", content=endless(), headers=JSON).status_code == 413


def test_times_of_a_listener_do_not_set_the_servers(
    client: TestClient, built: Path, make_answer: Send
) -> None:
    client.post("/api/ratings", json=make_answer(received_at="1999-01-01T00:00:00Z", position=77))
    (rating,), _ = read_ratings(built / "ratings.csv")
    assert not rating.received_at.startswith("1999") and rating.position <= 2


def test_two_listeners_at_once(built: Path, client: TestClient, make_answer: Send) -> None:
    items = [item["id"] for item in read_test(built)["items"]]
    sent = [
        make_answer(participant=who, item=items[n % 2], token=f"{n:032x}")
        for n in range(40)
        for who in ("anna", "berta", "carl")
    ]

    def send_all(part: list[dict[str, Any]]) -> None:
        for answer in part:
            client.post("/api/ratings", json=answer)

    threads = [threading.Thread(target=send_all, args=(sent[part::6],)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ratings, warnings = read_ratings(built / "ratings.csv")
    assert warnings == [] and {r.key for r in ratings} == {
        (r["participant"], r["item"], r["token"]) for r in sent
    }


def test_a_disk_that_is_full_is_said_and_may_be_tried_again(
    built: Path, make_answer: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings = RatingsFile(built)
    client = TestClient(application(built, ratings), base_url="http://127.0.0.1:8000")

    def full(rating: object) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ratings, "append", full)
        reply = client.post("/api/ratings", json=make_answer())
        assert reply.status_code == 507 and "No space" in reply.json()["reason"]
    assert client.post("/api/ratings", json=make_answer()).json()["new"]
    ratings.close()


@LOCAL
def test_killed_in_the_middle_of_ratings_nothing_stored_is_lost(
    built: Path, make_answer: Send
) -> None:
    server = Server(built)
    item = read_test(built)["items"][0]["id"]
    stored: list[str] = []

    def listen(who: str) -> None:
        with httpx.Client(base_url=server.address) as client:
            for number in range(100_000):
                token = f"{who}{number:031x}"
                answer = make_answer(participant=f"p{who}", item=item, token=token)
                try:
                    reply = client.post("/api/ratings", json=answer)
                except httpx.TransportError:
                    return
                if reply.json()["stored"]:
                    stored.append(token)

    threads = [threading.Thread(target=listen, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    while len(stored) < 60:
        assert any(thread.is_alive() for thread in threads)
    server.kill()
    for thread in threads:
        thread.join()
    with (built / "ratings.csv").open("a") as file:  # as if the kill had fallen into a write
        file.write("2026-01-01T00:00:00.000+00:00,2026-01-01T00")
    again = Server(built)
    try:
        assert any("half a line" in line for line in again.printed)
        tokens = [rating.token for rating in read_ratings(built / "ratings.csv")[0]]
        assert set(stored) <= set(tokens) and len(tokens) == len(set(tokens))
        known = httpx.get(f"{again.address}api/answers/pa").json()
        assert list(known) == [item]
    finally:
        again.kill()


@LOCAL
def test_a_port_that_is_taken_and_a_folder_without_a_test(built: Path, tmp_path: Path) -> None:
    taken = listen_on("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="choose another port"):
        serve(built, host="127.0.0.1", port=taken.getsockname()[1])
    taken.close()
    with pytest.raises(ConfigError, match="cannot listen"):
        listen_on("127.0.0.1", 99999)
    with pytest.raises(DatabaseError, match=r"mashnet.listening build"):
        serve(tmp_path, host="127.0.0.1", port=0)
    (built / "page" / "test.json").write_text(json.dumps({"title": "x"}))
    with pytest.raises(DatabaseError, match="lacks test"):
        serve(built, host="127.0.0.1", port=0)


def test_texts_may_be_changed_and_names_may_not(built: Path) -> None:
    path = built / "page" / "test.json"
    test = json.loads(path.read_text())
    test["questions"][0]["text"] = "Wie gut ist das Stück?"
    path.write_text(json.dumps(test))
    assert read_test(built)["questions"][0]["text"].startswith("Wie")
    test["questions"][0]["name"] = "gesamt"
    path.write_text(json.dumps(test))
    with pytest.raises(DatabaseError, match="must be called overall, harmony"):
        read_test(built)
    test["questions"] = ["overall"]
    path.write_text(json.dumps(test))
    with pytest.raises(DatabaseError, match="damaged"):
        read_test(built)


def test_without_its_extra_the_command_says_how_to_get_it(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "mashnet.listening.server")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ConfigError, match="mashnet.listening."):
        program.main(["serve", f"folder={built}"])
