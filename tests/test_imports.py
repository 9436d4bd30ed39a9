"""Dependencies point one way; heavy things are imported only where they belong."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# A module may import from its own layer and from those before it (DESIGN, layout).
LAYERS = [
    {"mashnet.errors", "mashnet.extras", "mashnet.typed", "mashnet.programs"}
    | {"mashnet.config_folder"}
    | {"mashnet.files", "mashnet.arguments", "mashnet.drawing", "mashnet.pages"}
    | {"mashnet.storage", "mashnet.execution"},
    {"mashnet.music"},
    {"mashnet.audio"},
    {"mashnet.data"},
    {"mashnet.models"},
    {"mashnet.tasks"},
    {"mashnet.evaluation", "mashnet.rendering", "mashnet.export", "mashnet.listening"},
    {"mashnet.scoring", "mashnet.score", "mashnet.render", "mashnet.doctor", "mashnet.studio"}
    | {"mashnet.cli", "mashnet"},
    {"data_pipelines"},
    {"mashnet.commands"},
    {"train", "evaluate", "benchmarks"},
]
# Who may import what, by the first name of the imported module.
ONLY_IN = {
    "hydra": {"mashnet.cli"},
    "pytorch_lightning": {"mashnet.tasks", "mashnet.data.module", "train"},
    "ray": {"mashnet.execution.ray_cluster"},
    "soundfile": {"mashnet.audio.io", "mashnet.audio.decoders"},
    "pylibrb": {"mashnet.audio.rubber_band"},
    "pyrubberband": {"mashnet.audio.rubber_band"},
    "pedalboard": {"mashnet.audio.rubber_band", "mashnet.audio.with_pedalboard"},
    "madmom": {"mashnet.audio.annotate"},
}


def sources() -> list[Path]:
    folders = [ROOT / name for name in ("mashnet", "data_pipelines", "benchmarks")]
    return [ROOT / "train.py", ROOT / "evaluate.py"] + [p for f in folders for p in f.rglob("*.py")]


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(name: str) -> int | None:
    best = None
    for index, layer in enumerate(LAYERS):
        for prefix in layer:
            if (name == prefix or name.startswith(prefix + ".")) and (
                best is None or len(prefix) > len(best[1])
            ):
                best = (index, prefix)
    return best[0] if best else None


def is_entry_point(path: Path) -> bool:
    return path.name == "__main__.py" or '__name__ == "__main__"' in path.read_text("utf-8")


def refused_of_layers(path: Path) -> list[str]:
    """Return what a module imports though its layer must not, one line each."""
    name = module_name(path)
    own = layer_of(name)
    if own is None:
        return [f"{name} is in no layer"]
    refused = []
    for imported in sorted(imports(path)):
        if imported.split(".")[0] not in ("mashnet", "data_pipelines", "train", "evaluate"):
            continue
        if imported == "mashnet.cli" or imported.startswith("mashnet.cli."):
            # Only a program that a user starts may read command lines.
            if not (is_entry_point(path) or own >= layer_of("data_pipelines")):
                refused.append(f"{name} must not import {imported}: it is no program")
            continue
        if is_entry_point(path) and imported.startswith("mashnet."):
            continue
        theirs = layer_of(imported)
        if theirs is not None and theirs > own:
            refused.append(f"{name} must not import {imported}")
    return refused


def test_dependencies_point_one_way() -> None:
    assert len(sources()) > 100  # all of them, and not what an empty folder holds
    refused = [line for path in sources() for line in refused_of_layers(path)]
    assert not refused, "\n".join(refused)


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
    assert not refused, "\n".join(refused)


def test_mashnet_never_imports_the_pipelines() -> None:
    refused = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "mashnet").rglob("*.py")
        if any(i.split(".")[0] == "data_pipelines" for i in imports(path))
    ]
    assert refused == []


def test_scoring_needs_neither_lightning_nor_hydra() -> None:
    program = (
        "import sys, mashnet, mashnet.scoring, mashnet.models.loading as l; l.networks();"
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
