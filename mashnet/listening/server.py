"""The server: hands out the page and the excerpts, and stores ratings.

It knows item ids only. What lies outside the page's folder, the key above all, is not reachable:
addresses are looked up in a table, never joined to a path.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from mashnet.errors import ConfigError
from mashnet.listening.connections import ListenerConnection
from mashnet.listening.folder import AUDIO, PAGE, STATIC, TEST, read_test
from mashnet.listening.order import order_of
from mashnet.listening.ratings import Rating, latest, rating_of
from mashnet.listening.ratings_file import RatingsFile
from mashnet.listening.request_guard import Visitors

_LARGEST_BODY = 32_768  # bytes; a rating with the longest comment is far below it
_SLOWEST_BODY_S = 30.0
_LISTENED_TOLERANCE_S = 0.5  # players report their position in steps
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def application(
    folder: Path, ratings: RatingsFile, *, host: str = "127.0.0.1", names: Sequence[str] = ()
) -> FastAPI:
    """Return the web application of a test.

    Args:
        folder: as `build` leaves it.
        ratings: where answers go.
        host: that the server listens on.
        names: that it has beside; requests under others are refused.

    Raises:
        DatabaseError: if the folder holds no test.
    """
    test = read_test(folder)
    durations_s = {item["id"]: float(item["duration_s"]) for item in test["items"]}
    pages = {"": "index.html", TEST: TEST, **{name: name for name in STATIC}}
    visitors = Visitors(host, names)
    app = FastAPI(title="mashnet listening", openapi_url=None, version=version("mashnet"))

    @app.middleware("http")
    async def with_headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        misdirected = visitors.misdirected(request)
        response = _refused(421, misdirected) if misdirected else await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/audio/{name}")
    def excerpt(name: str) -> Response:
        item = name.removesuffix(".flac")
        if item not in durations_s or name != f"{item}.flac":
            return _refused(404, "there is no such clip")
        path = folder / PAGE / AUDIO / name
        # The page asks for a clip when it is to be played; a listener who goes back hears it anew.
        return FileResponse(
            path, media_type="audio/flac", headers={"Cache-Control": "private, max-age=86400"}
        )

    @app.get("/api/answers/{participant}")
    def answers(participant: str) -> Response:
        """Return what a participant has answered, so that another browser can go on."""
        found = ratings.of(participant)
        tokens: dict[str, list[str]] = {}
        for rating in found:
            tokens.setdefault(rating.item, []).append(rating.token)
        return JSONResponse(
            {
                item: {**_as_answer(rating), "tokens": tokens[item]}
                for (_, item), rating in latest(found).items()
            },
            headers={"Cache-Control": "no-store"},
        )

    @app.post("/api/ratings")
    async def rate(request: Request) -> Response:
        if foreign := visitors.foreign(request):
            return _refused(403, foreign)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(415, "a rating is sent as application/json")
        body = b""
        try:
            async with asyncio.timeout(_SLOWEST_BODY_S):
                async for block in request.stream():
                    body += block
                    if len(body) > _LARGEST_BODY:
                        return _refused(413, "that is too long for a rating")
        except TimeoutError:
            return _refused(408, "the rating came too slowly")
        except ClientDisconnect:
            return _refused(400, "the rating did not come as a whole")
        try:
            rating = _checked(body, test["test"], durations_s, float(test["listen_s"]))
        except ValueError as error:
            return _refused(422, str(error))
        stored = len(ratings.of(rating.participant))
        if too_many := visitors.too_many(request, stored, len(durations_s)):
            return _refused(429, too_many)
        try:
            new = await run_in_threadpool(ratings.append, rating)
        except OSError as error:
            return _refused(507, f"the rating could not be stored: {error.strerror or error}")
        return JSONResponse({"stored": True, "new": new})

    @app.get("/")
    @app.get("/{name}")
    def page(name: str = "") -> Response:
        if name not in pages:
            return _refused(404, "there is no such page")
        # Never kept by a browser: a page of yesterday would send ratings of yesterday's test.
        return FileResponse(folder / PAGE / pages[name], headers={"Cache-Control": "no-cache"})

    return app


def _checked(body: bytes, test: str, durations_s: dict[str, float], listen_s: float) -> Rating:
    """Return the rating that a browser sent.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("that is not JSON") from None
    if not isinstance(values, dict):
        raise ValueError("a rating is a JSON object")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    rating = rating_of({**values, "received_at": now, "position": 1})
    if rating.test != test:
        raise ValueError("this page belongs to another test: reload it")
    if rating.item not in durations_s:
        raise ValueError("there is no such clip in this test")
    needed_s = required_s(durations_s[rating.item], listen_s)
    if rating.listened_s + _LISTENED_TOLERANCE_S < needed_s:
        raise ValueError(f"{needed_s:.0f} s of a clip must be played before it is rated")
    position = order_of(test, rating.participant, durations_s).index(rating.item) + 1
    return replace(rating, position=position)


def required_s(duration_s: float, listen_s: float) -> float:
    """Return how much of a clip must be played before it can be rated, in seconds."""
    return min(listen_s, duration_s / 2)


def _as_answer(rating: Rating) -> dict[str, object]:
    return {
        **rating.answers,
        "heard": rating.heard,
        "comment": rating.comment,
        "listened_s": rating.listened_s,
        "rated_at": rating.rated_at,
        "token": rating.token,
    }


def _refused(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"stored": False, "reason": reason}, status_code=status)


def listen_on(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes any that is free.

    Raises:
        ConfigError: if the port is taken or the host is not this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {reason}; choose another port= or host="
        ) from error
    return opened


def is_this_machine(host: str) -> bool:
    """Return whether only programs of this machine reach a server that listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(folder: Path, *, host: str, port: int, names: Sequence[str] = ()) -> None:
    """Serve a test until the process is ended.

    Raises:
        ConfigError: if the port is taken.
        DatabaseError: if the folder holds no test, or another process serves it.
    """
    read_test(folder)
    opened = listen_on(host, port)
    ratings = RatingsFile(folder)
    try:
        app = application(folder, ratings, host=host, names=names)
        for line in ratings.warnings:
            print(f"warning: {line}", flush=True)
        if not is_this_machine(host):
            print(
                f"warning: host={host}: whoever reaches this machine can hear the clips and rate "
                "them; nothing is encrypted, and a name is all that a listener needs",
                flush=True,
            )
        people = len({rating.participant for rating in ratings.ratings})
        print(f"{len(ratings.ratings)} ratings by {people} participants in {ratings.path}")
        name = socket.gethostname() if host in ("0.0.0.0", "::") else host
        shown = f"[{name}]" if ":" in name else name
        address = f"http://{shown}:{opened.getsockname()[1]}/"
        print(
            f"serving {address}  (for one listener: {address}?p=NAME; Ctrl+C ends it)", flush=True
        )
        settings = uvicorn.Config(
            app,
            log_level="warning",
            http=ListenerConnection,
            ws="none",
            timeout_keep_alive=10,
            proxy_headers=False,  # a client would say itself whose ratings are counted
        )
        uvicorn.Server(settings).run(sockets=[opened])
    finally:
        ratings.close()
        opened.close()
