"""What a source hands to the pipeline: songs, and what could not become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_pipelines.sources.names import COMPOSITE, kind_of
from mashnet.data.schemas import SPLITS
from mashnet.music.sections import Section

MAX_SONG_S = 1800.0  # all stems of a song are in memory at once: about 1.5 GB for half an hour


@dataclass(frozen=True, kw_only=True)
class RawStem:
    """One stem's file.

    `kind` is what the role is decided from once it is known which stems sound in a clip: vocal,
    lead, other, harmonic, percussion, accompaniment (everything but the vocal), or "" for a stem
    that is not one role.
    """

    path: Path
    kind: str
    label: str  # free text; may be a path from coarse to fine
    stream: int = 0  # which of the file's sound streams
    unnamed: bool = False  # no word of its name says what it is: it may be told by its sound

    @property
    def origin(self) -> str:
        """Where it came from, as rejects.parquet names it."""
        return printable(self.path) + (f" ({self.label})" if self.stream else "")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recording that is still to be separated into stems."""

    path: Path
    lasts_s: float | None = None  # what was annotated lasts this long, where that is known
    most_apart_s: float = 0.0  # a recording that lasts longer or shorter by more is another one


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a source knows exactly about a song; None where it does not. Times in seconds."""

    tempo_bpm: float | None = None
    beats: tuple[float, ...] | None = None
    downbeats: tuple[float, ...] | None = None
    beats_per_bar: int | None = None
    bar_starts: tuple[float, ...] = ()  # times that begin a bar, not necessarily all of them
    key: str | None = None  # as mashnet.music.key_names.parse_key reads it
    sections: tuple[Section, ...] = ()  # in order of time
    # Not exact: a rounded tempo, a key that a program wrote (data_pipelines.mashupdb.hints).
    tempo_hint_bpm: float | None = None
    key_hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class RawSong:
    """One song: stems on disk, or a recording of which stems are to be made."""

    origin: str  # where it came from, as rejects.parquet names it
    title: str
    artist: str
    source: str
    license: str
    group: str  # songs of one group go to one split
    splits: tuple[str, ...] = SPLITS  # what the group's hash chooses from; one: the source decides
    min_stems: int = 1  # with fewer usable ones the song is rejected
    stems: tuple[RawStem, ...] = ()
    mixes: tuple[Path, ...] = ()  # files that hold all of it: they tell how long it is
    recording: Recording | None = None  # in place of stems
    gain: float = 1.0  # what the stems' files must be multiplied by
    known: Known = field(default_factory=Known)
    parts: tuple[Section, ...] = ()  # these alone become clips; none: the whole song does


@dataclass(frozen=True, kw_only=True)
class Reject:
    """An input that could not be used, as a row of rejects.parquet."""

    input: str
    stage: str
    reason: str


def printable(text: object) -> str:
    """Return text that any file can hold: bytes of a name that are not UTF-8 become escapes."""
    try:
        encoded = str(text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character that no file name gives, but JSON can
        encoded = str(text).encode("utf-8", "backslashreplace")
    return encoded.decode("utf-8", "backslashreplace")


def label_path(*names: object) -> str:
    """Return names from coarse to fine as one label: "other keys/synth lead".

    Lower case, words apart by one space; a name that says nothing new is left out.
    """
    steps: list[str] = []
    for name in names:
        step = " ".join(
            printable(name or "").lower().replace("_", " ").replace("/", " or ").split()
        )
        if step and step not in steps[-1:]:
            steps.append(step)
    return "/".join(steps)


def stem_of(
    path: Path, label: str, named: str, kinds: Mapping[str, Sequence[str]], *, stream: int = 0
) -> tuple[RawStem | None, Reject | None]:
    """Return a stem whose kind is read from a name, and what is to be said about it.

    Args:
        path: its file.
        label: its label.
        named: the name that the patterns are matched against.
        kinds: source.roles: the patterns of each kind.
        stream: which of the file's sound streams.

    Returns:
        No stem for one that is to be ignored. One that no pattern knows has no role and comes
        with a line for the rejects.
    """
    kind = kind_of(named, kinds)
    if kind == "ignored":
        return None, None
    role = "" if kind in (None, COMPOSITE) else str(kind)
    stem = RawStem(path=path, kind=role, label=label, stream=stream)
    if kind is not None:
        return stem, None
    reason = f"'{printable(named)}' matches no pattern of source.roles; kept, but in no mix"
    return stem, Reject(input=stem.origin, stage="roles", reason=reason)
