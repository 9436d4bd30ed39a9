"""No file that a user is given can run a program: nothing unpickles, evaluates or shells out."""

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from demucs.htdemucs import HTDemucs

from data_pipelines.separation.separate import load_model
from mashnet.errors import MashnetError
from tests.hostile.bundles import pickled

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "train.py", ROOT / "evaluate.py"] + [
    path
    for folder in ("mashnet", "data_pipelines", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# Modules whose files are programs.
FORBIDDEN_MODULES = "pickle cPickle cloudpickle dill joblib shelve marshal diffq".split()
FORBIDDEN_CALLS = {
    "eval": "evaluates text",
    "exec": "evaluates text",
    "compile": "evaluates text",
    "os.system": "starts a shell",
    "os.popen": "starts a shell",
    "pd.read_pickle": "unpickles",
    "pandas.read_pickle": "unpickles",
    "yaml.load": "makes any object",
    "yaml.load_all": "makes any object",
    "yaml.unsafe_load": "makes any object",
    "yaml.full_load": "makes any object",
    "torch.package.PackageImporter": "imports from a file",
    "torch.jit.load": "loads a program",
}
# A call that is safe only if it says so: name → (argument, value).
ONLY_WITH = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}


def problems(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, what is wrong) of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            for name in names:
                if name.split(".")[0] in FORBIDDEN_MODULES:
                    yield node.lineno, f"imports {name}"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        said = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
        if name in FORBIDDEN_CALLS:
            yield node.lineno, f"{name} {FORBIDDEN_CALLS[name]}"
        if name in ONLY_WITH and said.get(ONLY_WITH[name][0]) is not ONLY_WITH[name][1]:
            yield node.lineno, f"{name} without {ONLY_WITH[name][0]}={ONLY_WITH[name][1]}"
        if said.get("shell") is True or (None in said and name.startswith("subprocess.")):
            yield node.lineno, f"{name} with a shell"
        if name in ("LocalRepo", "demucs.repo.LocalRepo"):
            yield (
                node.lineno,
                f"{name} unpickles: PlainRepo of data_pipelines.separation.demucs_weights",
            )
        if name.endswith("load_state_dict_from_url") and said.get("weights_only") is not True:
            yield node.lineno, f"{name} without weights_only=True"


def test_nothing_runs_what_a_file_says() -> None:
    assert len(SOURCES) > 100  # all of them, and not what an empty folder holds
    found = [
        f"{path}:{line}: {what}"
        for path in SOURCES
        for line, what in problems(ast.parse(path.read_text("utf-8")))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import dill as d",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, mmap_mode='r')",
        "np.load(p, allow_pickle=True)",
        "yaml.load(t, yaml.Loader)",
        "eval('1')",
        "subprocess.run(c, shell=True)",
        "os.system(c)",
        "pd.read_pickle(p)",
        "LocalRepo(folder)",
        "torch.hub.load_state_dict_from_url(u)",
    ],
)
def test_the_scan_sees(code: str) -> None:
    assert list(problems(ast.parse(code)))


def test_the_scan_lets_pass_what_is_safe() -> None:
    safe = "torch.load(p, weights_only=True); np.load(p, allow_pickle=False); network.eval()"
    assert list(problems(ast.parse(safe + "; yaml.safe_load(t); re.compile(x)"))) == []


def test_weights_of_demucs_that_are_a_program_are_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save({"klass": HTDemucs, "args": (), "kwargs": {}, "state": {}}, tmp_path / "x.th")
    with zipfile.ZipFile(tmp_path / "x.th") as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(tmp_path / "x.th", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, pickled(canary) if name.endswith("data.pkl") else data)
    (tmp_path / "y.th").write_bytes(pickled(canary))
    for name in ("x", "y"):
        with pytest.raises(MashnetError, match=f"the Demucs weights '{name}' cannot be had"):
            load_model(name, tmp_path)
    torch.save({"klass": torch.nn.Linear, "args": (1, 1), "kwargs": {}}, tmp_path / "z.th")
    with pytest.raises(MashnetError, match="holds no network of demucs"):
        load_model("z", tmp_path)
    assert not canary.exists()
