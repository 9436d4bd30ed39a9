"""The plan of the house as data, and the code held against it; `make plan` prints it.

Rooms are packages. They stand on floors: what a file imports lies in its own room, on its own
floor where the plan says so, or further down. Whatever is looked up by its name
(`mashnet.registry`) is imported when it is asked for, so that nothing needs to look up.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("mashnet", "data_pipelines", "benchmarks", "train", "evaluate")


@dataclass(frozen=True)
class Room:
    """A package, or a module that stands alone.

    Attributes:
        name: dotted.
        purpose: what a newcomer looks here for.
        beside: rooms of its own floor that it may import.
    """

    name: str
    purpose: str
    beside: tuple[str, ...] = ()


PROTOCOLS = "mashnet.evaluation.protocols"
# From the top down. A room imports from the floors below its own.
FLOORS = (
    (
        Room("train", "python train.py"),
        Room("evaluate", "python evaluate.py"),
        Room("benchmarks", "measurements of speed and agreement"),
    ),
    (
        Room("mashnet.__main__", "the command mashnet"),
        Room("mashnet.commands.train", "what is typed: train"),
        Room("mashnet.commands.evaluate", "what is typed: evaluate"),
        Room("mashnet.evaluation.cross_validation", "what is typed: cross_validation"),
    ),
    (
        Room("data_pipelines.demo", "stage: the demo corpus"),
        Room("data_pipelines.mashupdb", "stage: music into a MashupDB"),
        Room("data_pipelines.mixes", "stage: mixes that fit, and that do not"),
        Room("data_pipelines.loops", "stage: loops, and which sound together"),
        Room("data_pipelines.negatives", "stage: pairs of loops that do not fit"),
        Room("data_pipelines.structure", "stage: verse, chorus and the rest"),
        Room("data_pipelines.embeddings", "stage: a library encoded ahead"),
        Room("data_pipelines.beats", "stage: a library in beat time, ahead"),
    ),
    (
        Room("data_pipelines.separation", "recordings into stems by Demucs or Spleeter"),
        Room("data_pipelines.synth", "the demo band"),
        Room("data_pipelines.rejects", "what a stage could not use"),
    ),
    (
        Room("data_pipelines.sources", "a data set each: what songs it has"),
        Room("data_pipelines", "raw music to a MashupDB: a folder per stage"),
    ),
    (
        Room("mashnet.studio", "the page on which mashups are looked for by hand"),
        Room("mashnet.listening", "listening tests"),
        Room("mashnet.export", "bundles, and networks as ONNX"),
        Room("mashnet.score", "what is typed: score"),
        Room("mashnet.render", "what is typed: render"),
        Room("mashnet.mashup", "what is typed: mashup"),
        Room("mashnet.retrieve", "what is typed: retrieve"),
        Room("mashnet.doctor", "what is typed: doctor"),
    ),
    (Room("mashnet.commands", "what all programs share: settings, arguments, the last line"),),
    (Room("mashnet", "what `import mashnet` gives"),),
    (Room("mashnet.scoring", "how other programs use a bundle: load, score, rank"),),
    (
        Room(f"{PROTOCOLS}.beat_probe", "does an encoder hear beats?"),
        Room(f"{PROTOCOLS}.mashup_retrieval", "is an original found among mashups that fit?"),
        Room(f"{PROTOCOLS}.mix_classification", "are originals told from unmatched mixes?"),
        Room(f"{PROTOCOLS}.placement", "is a phrase's music found before it is moved, and where?"),
        Room(f"{PROTOCOLS}.renderer", "what do a Scorer's best mashups sound like?"),
        Room(f"{PROTOCOLS}.song_selection", "which songs does a Scorer pair?"),
        Room(f"{PROTOCOLS}.stem_retrieval", "is the missing stem found?"),
        Room(f"{PROTOCOLS}.accompaniment_retrieval", "is a vocal's accompaniment found?"),
        Room(f"{PROTOCOLS}.loop_ranking", "does the loop that fits stand first?"),
        Room(f"{PROTOCOLS}.sensitivity", "how fast does a score fall when a part is moved?"),
    ),
    (
        Room("mashnet.evaluation", "what all protocols share: results, figures, statistics",
             (PROTOCOLS, "mashnet.evaluation.subjects")),
        Room(PROTOCOLS, "which protocols there are", ("mashnet.evaluation",)),
        Room("mashnet.evaluation.mashup_measures", "what is measured of a finished mashup",
             ("mashnet.evaluation",)),
        Room("mashnet.evaluation.subjects", "what a protocol asks about"),
    ),
    (Room("mashnet.rehearsals", "training and scoring on a GPU that is not there"),),
    (Room("mashnet.tasks", "what is optimised, and how"),),
    (Room("mashnet.mashups", "from a library to chosen pairs; collections and recipes"),),
    (Room("mashnet.library", "what a library sounds like to a model, and its index"),),
    (Room("mashnet.rendering", "a plan of time, then its sound"),),
    (Room("mashnet.models.published", "networks whose weights others published"),),
    (
        Room("mashnet.models.mixes", "networks that judge a mix, a file each"),
        Room("mashnet.models.loops", "networks that judge two loops, a file each"),
        Room("mashnet.models.stems", "networks that judge a stem beside others, a file each"),
        Room("mashnet.models.phrases", "networks that judge phrases before they are moved"),
        Room("mashnet.models.rules", "Scorers that are computed by rule"),
    ),
    (Room("mashnet.models", "what all models share: Scorer, loading, weights, self-check"),),
    (
        Room("mashnet.data.mixes", "what PreMixNet and PostMixNet are fed"),
        Room("mashnet.data.loops", "what the loop networks are fed"),
        Room("mashnet.data.stems", "what networks of stems are fed"),
        Room("mashnet.data.phrases", "what PlaceNet is fed: bars in beat time"),
    ),
    (Room("mashnet.data", "the MashupDB: tables, splits, order, parts"),),
    (Room("mashnet.audio", "sound: files, stretching, spectrograms, loudness"),),
    (Room("mashnet.music", "arithmetic on beats, keys, tempos"),),
    (
        Room("mashnet.execution", "work on several processes or machines"),
        Room("mashnet.pages", "HTML pages from templates"),
    ),
    (Room("mashnet.figure_files", "figures as pages hold them"),),
    (
        Room("mashnet.files", "files, written in one step", ("mashnet.storage",)),
        Room("mashnet.storage", "files of stores; names and files of strangers",
             ("mashnet.files",)),
    ),
    (Room("mashnet.extras", "what can be left out of an installation"),),
    (
        Room("mashnet.registry", "what can be asked for by a name"),
        Room("mashnet.programs", "which programs there are"),
    ),
    (
        Room("mashnet.errors", "errors that a user is meant to read"),
        Room("mashnet.progress", "how far long work has come"),
        Room("mashnet.invocation", "how programs are called here"),
        Room("mashnet.config_folder", "where the configs lie"),
    ),
)  # fmt: skip
# Packages that are heavy, or of a licence of their own: the only places that import them.
ONLY_IN = {
    "hydra": {"mashnet.commands.hydra_program", "mashnet.commands.free_text"},
    "pytorch_lightning": {"mashnet.rehearsals", "mashnet.tasks", "mashnet.data.mixes.module"},
    "ray": {"mashnet.execution.ray_cluster"},
    "soundfile": {"mashnet.audio.io", "mashnet.audio.decoders"},
    "pylibrb": {"mashnet.audio.rubber_band"},
    "pyrubberband": {"mashnet.audio.rubber_band"},
    "pedalboard": {"mashnet.audio.rubber_band", "mashnet.audio.with_pedalboard"},
    "madmom": {"mashnet.audio.annotate"},
}
MEDIAN_LINES, MOST_LINES, MOST_FILES = 120, 300, 25  # of a file, of a file, of a room
LONG_FOR_A_REASON = {"data_pipelines.synth.styles": "data: the styles, one after the other"}

ROOMS = {room.name: room for floor in FLOORS for room in floor}
FLOOR_OF = {room.name: index for index, floor in enumerate(FLOORS) for room in floor}


def plan() -> str:
    """Return the rooms, floor by floor, with the lower ones that each imports from."""
    lines = ["Every room imports from those below it. In brackets: files, and what it imports."]
    for floor in FLOORS:
        lines.append("")
        for room in floor:
            files = [path for path in sources() if room_of(module_name(path)) == room.name]
            used = {room_of(i) for path in files for i in our_imports(path)} - {room.name, None}
            from_rooms = ", ".join(sorted(used, key=lambda name: FLOOR_OF[name]))
            lines.append(f"{room.name} — {room.purpose}")
            lines.append(f"    [{len(files)}: {from_rooms or 'nothing of ours'}]")
    return "\n".join(lines)


@cache
def sources() -> list[Path]:
    folders = [ROOT / name for name in ("mashnet", "data_pipelines", "benchmarks")]
    found = [p for f in folders for p in sorted(f.rglob("*.py"))]
    return [ROOT / "train.py", ROOT / "evaluate.py", *found]


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> set[str]:
    """Return the modules, and names of modules, that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@cache
def modules() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of all modules of ours, and of those that are packages."""
    paths = sources()
    packages = (module_name(p) for p in paths if p.name == "__init__.py")
    return frozenset(map(module_name, paths)), frozenset(packages)


@cache
def our_imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports; of a package only what is named of it."""
    known, packages = modules()
    found = {name for name in imports(path) if name in known}
    named_of = {name for name in imports(path) if name not in known}
    return {
        name
        for name in found
        if name not in packages or any(n.rpartition(".")[0] == name for n in named_of)
    }


def room_of(module: str) -> str | None:
    """Return the innermost room that a module stands in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in ROOMS and not (name == "mashnet" and len(parts) > 1):
            return name
    return None


def is_program(path: Path) -> bool:
    return path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text("utf-8")


def looks_up(path: Path) -> list[str]:
    """Return what a file imports though its room must not, one line each."""
    name = module_name(path)
    room = room_of(name)
    if room is None:
        return [f"{name} stands in no room of the plan"]
    refused = []
    for imported in sorted(our_imports(path)):
        theirs = room_of(imported)
        allowed = theirs == room or theirs in ROOMS[room].beside
        if theirs == "mashnet.commands" and is_program(path):
            allowed = True  # only what a user starts reads command lines
        if not allowed and FLOOR_OF[theirs] <= FLOOR_OF[room]:
            refused.append(f"{name} must not import {imported}")
    return refused


def failing(lines: list[str]) -> str:
    """Return what to say of a house that is not as planned: what is wrong, and the plan."""
    return "\n".join([*lines, "", plan()])


def test_imports_run_down() -> None:
    assert len(sources()) > 100  # all of them, and not what an empty folder holds
    refused = [line for path in sources() for line in looks_up(path)]
    assert not refused, failing(refused)


def test_every_room_of_the_plan_is_there() -> None:
    used = {room_of(module_name(path)) for path in sources()}
    assert used == set(ROOMS), failing([f"nothing stands in {sorted(set(ROOMS) - used)}"])


def test_no_file_imports_itself_through_others() -> None:
    paths = {module_name(path): path for path in sources()}
    edges = {name: our_imports(path) & set(paths) - {name} for name, path in paths.items()}
    while leaves := {name for name, to in edges.items() if not to & set(edges)}:
        edges = {name: to for name, to in edges.items() if name not in leaves}
    assert not edges, failing([f"a circle among {sorted(edges)}"])


def test_rooms_and_files_are_of_a_size_that_is_read_in_one_go() -> None:
    lines = {path: path.read_text("utf-8").count("\n") for path in sources()}
    assert statistics.median(lines.values()) <= MEDIAN_LINES
    long = {module_name(p): n for p, n in lines.items() if n > MOST_LINES}
    assert not LONG_FOR_A_REASON.keys() - long.keys(), "no longer long: strike it out"
    too_long = [f"{name}: {n} lines" for name, n in long.items() if name not in LONG_FOR_A_REASON]
    assert not too_long, failing(too_long)
    rooms: dict[Path, int] = {}
    for path in lines:
        rooms[path.parent] = rooms.get(path.parent, 0) + 1
    full = [f"{p.relative_to(ROOT)}: {n} files" for p, n in rooms.items() if n > MOST_FILES]
    assert not [f for f in full if not f.startswith("benchmarks")], failing(full)


def test_heavy_packages_are_imported_only_where_they_belong() -> None:
    refused = []
    for path in sources():
        name = module_name(path)
        for imported in sorted(imports(path)):
            allowed = ONLY_IN.get(imported.split(".")[0])
            if allowed is not None and not any(
                name == a or name.startswith(a + ".") for a in allowed
            ):
                refused.append(f"{name} must not import {imported}")
    assert not refused, failing(refused)


def test_scoring_needs_neither_lightning_nor_hydra() -> None:
    program = (
        "import sys, mashnet, mashnet.scoring\n"
        "from mashnet.models.networks import NETWORKS\n"
        "for name in NETWORKS.names(): NETWORKS.load(name)\n"
        "print([m for m in ('pytorch_lightning', 'hydra', 'madmom') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_every_module_can_be_imported() -> None:
    names = [module_name(p) for p in sources() if p.name != "__main__.py"]
    program = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr


if __name__ == "__main__":
    print(plan())
