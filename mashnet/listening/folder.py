"""The folder of a test, and what may be read of it.

listening/
  key.json         who is who, and what each Scorer thinks; the server never touches it
  page/            all that listeners can get
    index.html  answers.js  player.js  page.js  page.css  test.json  audio/<id>.flac
  ratings.csv      written by the server
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mashnet.errors import DatabaseError
from mashnet.listening.questions import HEARD, QUESTION_NAMES
from mashnet.storage import regular_files

KEY, PAGE, TEST, AUDIO = "key.json", "page", "test.json", "audio"
STATIC = ("answers.js", "player.js", "page.js", "page.css")

_MOST_BYTES = 50_000_000  # a key has about a kilobyte for each clip


def read_key(path: Path) -> dict[str, Any]:
    """Return the contents of key.json.

    Raises:
        DatabaseError: if it is not there or not a key.
    """
    return read_json(path, ("test", "title", "items"), "the key of a test (build writes it)")


def read_test(folder: Path) -> dict[str, Any]:
    """Return the contents of the page's test.json: what listeners may know.

    Raises:
        DatabaseError: if the folder holds no test, or one whose questions have other names than
            the columns of ratings (texts may be changed).
    """
    needed = ("test", "title", "listen_s", "questions", "heard", "items")
    path = folder / PAGE / TEST
    test = read_json(path, needed, "a test; make one: python -m mashnet.listening build")
    try:
        names = [question["name"] for question in test["questions"]]
        heard = list(test["heard"]["answers"])
    except (TypeError, KeyError) as error:
        raise DatabaseError(f"{path}: its questions are damaged: {error!r}") from error
    if names != list(QUESTION_NAMES) or heard != list(HEARD):
        raise DatabaseError(
            f"{path}: its questions must be called {', '.join(QUESTION_NAMES)} and its answers to "
            f"'heard' {', '.join(HEARD)}; their texts may be changed"
        )
    return test


def read_json(path: Path, needed: Sequence[str], what: str) -> dict[str, Any]:
    """Return the contents of a file that must have the needed names.

    Args:
        path: the file.
        needed: names of its object.
        what: what the file should have been, for the message.

    Raises:
        DatabaseError: if it is not there, damaged, or something else.
    """
    try:
        found = regular_files.read_json(path, _MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is damaged: {error}"
        raise DatabaseError(f"{path}: cannot be read ({reason}); expected {what}") from error
    missing = [name for name in needed if not isinstance(found, dict) or name not in found]
    if missing:
        raise DatabaseError(f"{path}: lacks {', '.join(missing)}; expected {what}")
    return found


def condition_of(claim: dict[str, Any]) -> str:
    """Return "alignnet best" of {system, kind, …}; a system whose pieces are of one kind alone."""
    kind = "" if claim["kind"] == claim["system"] else claim["kind"]
    return f"{claim['system']} {kind}".strip()
