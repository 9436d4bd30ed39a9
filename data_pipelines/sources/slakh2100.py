"""source=slakh2100: Slakh2100 (all kinds) and BabySlakh as they unpack: docs/data_sets.md.

Layout:
    train|validation|test|omitted/TrackNNNNN/metadata.yaml    UUID of the MIDI file; stems
    …/TrackNNNNN/stems/SNN.flac                               what was rendered of them
    …/TrackNNNNN/mix.flac, all_src.mid, MIDI/SNN.mid          not needed here

BabySlakh has the tracks directly in the root, as WAV.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data_pipelines.sources.folders import audio_files, require_folder
from data_pipelines.sources.song import RawSong, RawStem, Reject, label_path, printable, stem_of
from mashnet.data.schemas import SPLITS
from mashnet.errors import MashnetError
from mashnet.storage.bounded_yaml import bounded_text, plain_yaml

_METADATA = "metadata.yaml"
# Official subsets and their splits, the most carefully kept apart first.
_OFFICIAL = {"test": "test", "validation": "val", "train": "train", "omitted": "train"}


def find(config: DictConfig) -> Iterator[RawSong | Reject]:
    """Yield the tracks under `source.root`.

    With the official split, a track whose MIDI file was also rendered for a subset that is kept
    apart from it is rejected: it is the same music, played by other instruments.

    Raises:
        MashnetError: if the root does not look like Slakh2100.
    """
    source = config.source
    root = require_folder(Path(source.root))
    subsets = [name for name in _OFFICIAL if (root / name).is_dir()]
    if not subsets and not any(root.glob("Track*")):
        raise MashnetError(
            f"source.root: {root} holds no folder train, validation or test and no TrackNNNNN; "
            "name the folder that slakh2100_flac_redux.tar.gz was unpacked into"
        )
    if not source.omitted:
        subsets = [name for name in subsets if name != "omitted"]
    heard: dict[str, tuple[str, str]] = {}  # group → (split, name) of the track first met
    for subset in subsets or [""]:
        folders = audio_files(root / subset, set())[1]
        for folder in folders:
            if not folder.name.startswith("Track"):
                continue
            for item in _song(folder, _splits(subset, subsets, source), source):
                if isinstance(item, RawSong) and len(item.splits) < len(SPLITS):
                    split, name = heard.setdefault(item.group, (item.splits[0], folder.name))
                    if split != item.splits[0]:
                        yield _reject(folder, f"has the MIDI file of {name}, which is in '{split}'")
                        continue
                yield item


def _splits(subset: str, subsets: list[str], source: DictConfig) -> tuple[str, ...]:
    """Return the splits that the tracks of a subset may be in."""
    if not subset or not source.official_split:
        return SPLITS
    if _OFFICIAL[subset] == "train" and "validation" not in subsets:
        return ("train", "val")
    return (_OFFICIAL[subset],)


def _song(folder: Path, splits: tuple[str, ...], source: DictConfig) -> Iterator[RawSong | Reject]:
    try:
        data = plain_yaml(bounded_text(folder / _METADATA))
        entries = _stems(data)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        yield _reject(folder / _METADATA, f"cannot be used, and so the track: {reason}", "meta")
        return
    kinds = {str(kind): list(patterns) for kind, patterns in source.roles.items()}
    files: dict[str, Path] = {}
    if (folder / "stems").is_dir():
        files = {path.stem: path for path in audio_files(folder / "stems", set())[0]}
    stems: list[RawStem] = []
    for name, entry in entries.items():
        path = files.pop(name, None)
        if path is None:
            if entry.get("audio_rendered", True):
                reason = f"was rendered, says {_METADATA}, but is absent"
                yield _reject(folder / "stems" / name, reason)
            continue  # a sound effect or suchlike, which has no file
        # The file counts: BabySlakh says audio_rendered: false of stems that it has.
        stem, problem = _stem(path, entry, kinds)
        if problem is not None:
            yield problem
        if stem is not None:
            stems.append(stem)
    for path in files.values():
        yield _reject(path, f"is not named in {_METADATA}, left out")
    if not stems:
        yield _reject(folder, "has no rendered stems")
        return
    yield RawSong(
        origin=printable(folder),
        title=printable(folder.name),
        artist="",
        source="slakh2100",
        license=str(source.license),
        group=printable(data.get("UUID") or folder.name),
        stems=tuple(stems),
        splits=splits,
        min_stems=int(source.min_stems),
    )


def _stems(data: Any) -> dict[str, dict[str, Any]]:
    """Return the metadata's stems; raises ValueError for another structure."""
    if not isinstance(data, dict) or not isinstance(data.get("stems"), dict):
        raise ValueError("there is no mapping 'stems'")
    if not all(isinstance(entry, dict) for entry in data["stems"].values()):
        raise ValueError("a stem is not a mapping")
    return {str(name): entry for name, entry in data["stems"].items()}


def _stem(
    path: Path, entry: Mapping[str, Any], kinds: Mapping[str, Sequence[str]]
) -> tuple[RawStem | None, Reject | None]:
    # "Strings (continued)" is a heading in a table of MIDI programs, not an instrument.
    coarse = str(entry.get("inst_class") or "").replace("(continued)", "")
    if entry.get("is_drum"):
        coarse = "drums"
    return stem_of(path, label_path(coarse, entry.get("midi_program_name")), coarse, kinds)


def _reject(path: Path, reason: str, stage: str = "source") -> Reject:
    return Reject(input=printable(path), stage=stage, reason=printable(reason))
