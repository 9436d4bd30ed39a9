"""Where the clips of a test come from: collections of mashups and folders of sound files."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

from mashnet.audio.io import AUDIO_SUFFIXES
from mashnet.errors import ConfigError
from mashnet.files import file_digest
from mashnet.mashups.collection import MANIFEST, read_collection
from mashnet.storage.contained_paths import inside

ORIGINAL = "original"


@dataclass(frozen=True)
class Stimulus:
    """A finished piece that may be heard in a test.

    Attributes:
        system: who made or chose it; "original" for songs as they are.
        kind: best, worst, top, …; original; empty for a file of a folder.
        rank: of the system's choice, from 1; 0 for a file of a folder.
        name: of the file, without suffix.
        path: its sound.
        scores: Scorer → what it thinks of the piece.
        facts: what else its collection says about it.
    """

    system: str
    kind: str
    rank: int
    name: str
    path: Path
    scores: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def stimuli_of(folders: Sequence[Path]) -> list[Stimulus]:
    """Return the pieces of all folders; a piece that two systems chose stands there twice.

    A folder with a manifest is a collection: its rows name their systems, and the originals of all
    collections are one system. Any other folder is a system of that name. Where two collections
    have a system of one name, the folder's name is added.

    Raises:
        ConfigError: if a folder is not there, has no sound, or two systems have one name.
    """
    found = {folder: _of_folder(folder) for folder in dict.fromkeys(folders)}
    names = {folder: {s.system for s in pieces} for folder, pieces in found.items()}
    owners = Counter(system for systems in names.values() for system in systems)
    stimuli: list[Stimulus] = []
    folder_of: dict[str, Path] = {}
    for folder, pieces in found.items():
        for piece in pieces:
            system = piece.system
            if owners[system] > 1 and system not in (ORIGINAL, folder.resolve().name):
                system = f"{system} ({folder.resolve().name})"
            if system != ORIGINAL and folder_of.setdefault(system, folder) != folder:
                raise ConfigError(
                    f"systems=: {folder_of[system]} and {folder} are both called '{system}'; "
                    "rename one of them"
                )
            stimuli.append(replace(piece, system=system))
    return stimuli


def pieces_of(stimuli: Sequence[Stimulus]) -> dict[str, list[Stimulus]]:
    """Return digest of the sound → who chose it, each system and kind once.

    A file that cannot be read stands alone.
    """
    pieces: dict[str, list[Stimulus]] = {}
    for stimulus in stimuli:
        try:
            digest = file_digest(stimulus.path)
        except OSError:
            digest = str(stimulus.path)
        claims = pieces.setdefault(digest, [])
        if (stimulus.system, stimulus.kind) not in [(c.system, c.kind) for c in claims]:
            claims.append(stimulus)
    return pieces


def drawn(
    pieces: Mapping[str, list[Stimulus]], per_system: int, seed: int
) -> dict[str, list[Stimulus]]:
    """Return `per_system` pieces of each system that has more, its kinds in turn.

    A piece that was drawn for one system counts for all that chose it, so that another may have
    more.
    """
    by_system: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for digest, claims in pieces.items():
        for claim in claims:
            by_system[claim.system][claim.kind].append(digest)
    found = set()
    for system, by_kind in by_system.items():
        kinds = []
        for kind, digests in sorted(by_kind.items()):
            shuffled = sorted(digests)
            random.Random(f"{seed}|{system}|{kind}").shuffle(shuffled)
            kinds.append(shuffled)
        in_turn = [
            digests[place]
            for place in range(max(map(len, kinds)))
            for digests in kinds
            if place < len(digests)
        ]
        found.update(list(dict.fromkeys(in_turn))[:per_system])
    return {digest: claims for digest, claims in pieces.items() if digest in found}


def _of_folder(folder: Path) -> list[Stimulus]:
    if not folder.is_dir():
        raise ConfigError(f"systems=: there is no folder {folder}")
    if (folder / MANIFEST).is_file():
        stimuli = [_of_row(folder, row) for row in read_collection(folder)]
    else:
        stimuli = [
            Stimulus(folder.resolve().name, "", 0, path.stem, path)
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
        ]
    if not stimuli:
        raise ConfigError(f"systems=: {folder} holds neither mashups ({MANIFEST}) nor sound files")
    return stimuli


def _of_row(folder: Path, row: Mapping[str, Any]) -> Stimulus:
    """Return what a row of a collection stands for."""
    try:
        system, kind = str(row["system"]), str(row["kind"])
        given = {**{system: row["score"]}, **row["scores"]} if kind != ORIGINAL else row["scores"]
        # null stands for a score that a Scorer could not give.
        scores = {str(n): float(s) for n, s in given.items() if s is not None and isfinite(s)}
        if kind == ORIGINAL:
            system = ORIGINAL
        facts = {name: row[name] for name in ("technique", "engine", "base", "guests")}
        path = inside(folder, row["audio"], f"the mashup {row['name']}")
        return Stimulus(system, kind, int(row["rank"]), row["name"], path, scores, facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{folder / MANIFEST}: a row is damaged or lacks something: {error!r}"
        ) from error
