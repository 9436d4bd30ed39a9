"""Build a test: cut the excerpts, name them blindly, write the page and the key."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

from mashnet.errors import AudioError, ConfigError, DatabaseError
from mashnet.files import content_id, remove_leftovers, write_json, written_atomically
from mashnet.listening.excerpts import excerpt_of, write_excerpt
from mashnet.listening.folder import AUDIO, KEY, PAGE, STATIC, TEST, condition_of, read_json
from mashnet.listening.questions import HEARD, HEARD_TEXT, QUESTIONS
from mashnet.listening.ratings import COLUMNS
from mashnet.listening.ratings_file import RATINGS, folder_lock, read_ratings
from mashnet.listening.systems import Stimulus, drawn, pieces_of, stimuli_of
from mashnet.pages import write_page
from mashnet.progress import Progress
from mashnet.storage.contained_paths import place


@dataclass(frozen=True)
class Settings:
    """What a test is made of.

    Attributes:
        systems: collections and folders of sound files.
        excerpt_s: how long a clip is, in seconds.
        listen_s: how much of a clip must be played before it can be rated, in seconds; of clips
            shorter than twice that, the half.
        per_system: so many clips of each system that has more; None for all.
        seed: draws them where there are more.
        title: what listeners read above the test.
    """

    systems: tuple[Path, ...]
    excerpt_s: float = 30.0
    listen_s: float = 10.0
    per_system: int | None = None
    seed: int = 0
    title: str = "Listening test"


def build(settings: Settings, folder: Path) -> dict[str, Any]:
    """Write the test into a folder; print a line for each piece that cannot be used.

    May be repeated, also with other settings, until there are ratings.

    Returns:
        The contents of key.json.

    Raises:
        ConfigError: if there are ratings already, or the systems cannot be told apart.
        AudioError: if no piece can be used.
        DatabaseError: if the folder cannot be written to, or links lead out of it.
    """
    pieces = pieces_of(stimuli_of(settings.systems))
    if settings.per_system is not None:
        pieces = drawn(pieces, settings.per_system, settings.seed)
    audio = place(folder, PAGE, AUDIO)
    try:
        audio.mkdir(parents=True, exist_ok=True)
        lock = folder_lock(folder)  # no server may serve what is being changed
    except OSError as error:
        raise DatabaseError(f"{folder}: cannot be written: {error.strerror or error}") from error
    try:
        if (folder / RATINGS).is_file() and read_ratings(folder / RATINGS)[0]:
            raise ConfigError(
                f"out={folder} holds ratings of a test, which would lose their clips; "
                "build into another folder"
            )
        remove_leftovers(folder)
        secret = _secret_of(folder)
        items = _write_excerpts(pieces, settings, secret, audio)
        key = {
            "test": content_id(sorted(items)),
            "title": settings.title,
            "secret": secret,
            "settings": {
                **dataclasses.asdict(settings),
                "systems": [str(path) for path in settings.systems],
            },
            "items": items,
        }
        write_json(folder / KEY, key)
        _write_page(settings, key, folder / PAGE)
    finally:
        os.close(lock)
    return key


def _secret_of(folder: Path) -> str:
    """Return the secret of an earlier build, so that clips keep their ids, or a new one."""
    if (folder / KEY).is_file():
        return str(read_json(folder / KEY, ("secret",), "the key of a test")["secret"])
    return secrets.token_hex(16)


def _write_excerpts(
    pieces: Mapping[str, list[Stimulus]], settings: Settings, secret: str, folder: Path
) -> dict[str, dict[str, Any]]:
    """Write the excerpts; return id → who it is. A piece of several systems is heard once."""
    items: dict[str, dict[str, Any]] = {}
    for digest, claims in Progress(pieces.items(), desc="excerpts"):
        path = claims[0].path
        try:
            excerpt = excerpt_of(path, excerpt_s=settings.excerpt_s)
        except AudioError as error:
            print(f"warning: left out: {error}", file=sys.stderr)
            continue
        item = _blind_id(secret, digest, str(settings.excerpt_s))
        try:
            write_excerpt(folder / f"{item}.flac", excerpt)
        except OSError as error:
            raise DatabaseError(f"{folder}: cannot be written: {error.strerror}") from error
        items[item] = {
            "name": claims[0].name,
            "file": str(path),
            "systems": [{"system": c.system, "kind": c.kind, "rank": c.rank} for c in claims],
            "scores": {name: score for claim in claims for name, score in claim.scores.items()},
            "start_s": round(excerpt.start_s, 3),
            "duration_s": round(excerpt.duration_s, 3),
            "gain_db": round(excerpt.gain_db, 2),
            "facts": dict(claims[0].facts),
        }
    if not items:
        raise AudioError(f"none of {len(pieces)} pieces can be used; the lines above say why")
    for path in folder.iterdir():
        if path.stem not in items:
            path.unlink()
    return dict(sorted(items.items()))


def _blind_id(secret: str, *parts: str) -> str:
    """Return 16 hex digits that nobody without the secret can connect to the parts."""
    digest = blake2b("\0".join(parts).encode(), digest_size=8, key=bytes.fromhex(secret))
    return digest.hexdigest()


def _write_page(settings: Settings, key: dict[str, Any], folder: Path) -> None:
    items = [
        {"id": item, "duration_s": facts["duration_s"]} for item, facts in key["items"].items()
    ]
    write_page(folder / "index.html", "mashnet.listening", "index.html.j2", title=settings.title)
    for name in STATIC:
        with (
            written_atomically(folder / name) as temporary,
            (files("mashnet.listening") / PAGE / name).open("rb") as source,
            temporary.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
    write_json(
        folder / TEST,
        {
            "test": key["test"],
            "title": settings.title,
            "listen_s": settings.listen_s,
            "questions": [
                {"name": q.name, "text": q.text, "low": q.low, "high": q.high} for q in QUESTIONS
            ],
            "heard": {"text": HEARD_TEXT, "answers": HEARD},
            "columns": COLUMNS,
            "items": items,
        },
    )


def counts_of(key: dict[str, Any]) -> str:
    """Return "12 clips: alignnet best 5, …" of a key."""
    counts = Counter(condition_of(c) for item in key["items"].values() for c in item["systems"])
    return f"{len(key['items'])} clips: " + ", ".join(f"{k} {n}" for k, n in sorted(counts.items()))
