"""PHALAR as it was published: the authors' checkpoint in our network, with the same scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mashnet.data.stem_frontend import StemFrontend
from mashnet.errors import CheckpointError, ConfigError
from mashnet.models.phalar import Phalar
from mashnet.models.published_file import published_file
from mashnet.models.stem_scoring import StemScorer

SOURCE = "ckpts/PHALAR_best.ckpt in https://github.com/gladia-research-group/phalar (Git LFS)"

# The checkpoint names its settings by enumerations of the authors' program; all are texts.
ENUMERATIONS = (
    "Dataset",
    "EmbeddingMode",
    "FeatureExtractionTime",
    "ModelComparisonMethod",
    "ModelFeatureExtractorType",
    "ModelInputType",
)
# Published setting → what it was in training of PHALAR, and what its program takes if it is absent.
REQUIRED: dict[str, tuple[tuple[Any, ...], Any]] = {
    "backbone_type": (("freqtimeseparable", "axial"), "freqtimeseparable"),
    "pool_type": (("spec_pool", "fft"), "spec_pool"),
    "spec_pool_complex_output": ((True,), False),
    "spec_pool_norm": (("global",), None),
    "do_cqt": ((True,), False),
    "input_type": (("single_channel_mel_spectrogram",), "double_channel_harmonic_percussive"),
    "comparison_method": (
        ("bilinear_similarity", "hermitian_bilinear_similarity"),
        "bilinear_similarity",
    ),
    "final_mlp_expansion_factor": ((None,), None),
    "complex_mlp_bias": ((False,), False),
    "complex_use_silu": ((False,), False),
}
# Published setting → our name, and what the published program takes if it is absent.
SIZES: dict[str, tuple[str, Any]] = {
    "input_freq_bins": ("bins", 128),
    "ft_sep_init_hidden_dim": ("width", 8),
    "ft_sep_depth": ("depth", 4),
    "spec_pool_out_channels": ("features", 80),
    "spec_pool_components": ("components", 8),
    "spec_pool_center_padding": ("centred", False),
    "embedding_dim": ("dimensions", 512),
    "dropout_p": ("dropout", 0.1),
}
# The names of our parameters, and theirs.
RENAMED = (
    (r"^entry\.", "encoder.backbone.input_proj."),
    (r"^blocks\.(\d+)\.along_bins\.", r"encoder.backbone.layers.\1.freq_conv."),
    (r"^blocks\.(\d+)\.along_time\.", r"encoder.backbone.layers.\1.time_conv."),
    (r"^blocks\.(\d+)\.at_points\.", r"encoder.backbone.layers.\1.pointwise_op."),
    (r"^blocks\.(\d+)\.halving\.", r"encoder.backbone.layers.\1.compression."),
    (r"^pooling\.projection\.", "encoder.pooling.0.project_in.1."),
    (r"^head\.1\.weight$", "encoder.mlp.0.W.weight"),
    (r"^head\.2\.weight$", "encoder.mlp.1.weight"),
    (r"^head\.3\.bias$", "encoder.mlp.2.b"),
    (r"^head\.4\.weight$", "encoder.mlp.3.W.weight"),
    (r"^bilinear\.weight$", "similarity.W.W.weight"),
)
TRANSFORM = "encoder.cqt_extractor.0."  # holds nothing learned: the filters, and their lengths


class PhalarOfficialScorer(StemScorer):
    """An EmbeddingScorer with the published weights.

    Longer sounds are cut into windows that meet, as with our own networks. A window is 5 s, as
    in the published evaluation, so a 5 s sound scores what the published program gives it.
    """

    name = "phalar_official"

    def __init__(
        self, *, weights: str | None, window_s: float = 5.0, hermitian: bool = True
    ) -> None:
        """Load the published checkpoint.

        Args:
            weights: where the file lies.
            window_s: how much is heard at once, in seconds; training heard 2 to 10.
            hermitian: score as the published examples do, the same both ways round; else as
                published training does, Re((Wx)ᴴy) with x the context.

        Raises:
            ConfigError: if no file is named, or there is none.
            CheckpointError: if the file is damaged or holds something else.
        """
        path = published_file(weights, scorer=self.name, source=SOURCE)
        network = load_published(path, hermitian=hermitian)
        frontend = StemFrontend(sample_rate=network.sample_rate, window_s=window_s)
        super().__init__(network, frontend, name=self.name)


def load_published(path: Path, *, hermitian: bool = True) -> Phalar:
    """Return the published network in evaluation mode.

    Nothing is unpickled but tensors, plain values, and the enumerations above, as texts.

    Raises:
        CheckpointError: if the file is damaged, holds anything else, or was trained with
            settings other than PHALAR's.
    """
    known = [(str, f"contrastive_model.constants.{name}") for name in ENUMERATIONS]
    try:
        with torch.serialization.safe_globals(known):  # type: ignore[arg-type]
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged archive fails in as many ways as it has bytes; none may pass for a crash.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}") from error
    parts = checkpoint if isinstance(checkpoint, dict) else {}
    settings, state = parts.get("hyper_parameters"), parts.get("state_dict")
    if not isinstance(settings, dict) or not isinstance(state, dict):
        raise CheckpointError(
            f"{path} is not PHALAR's checkpoint: it lacks hyper_parameters or state_dict. "
            f"Take {SOURCE}"
        )
    for name, (allowed, absent) in REQUIRED.items():
        if settings.get(name, absent) not in allowed:
            raise CheckpointError(
                f"{path} was trained with {name}={settings.get(name, absent)}, which is not "
                f"PHALAR; take {SOURCE}"
            )
    sizes = {ours: settings.get(name, absent) for name, (ours, absent) in SIZES.items()}
    try:
        network = Phalar(**sizes, hermitian=hermitian)
        network.load_state_dict(translated(state, network))
    except (RuntimeError, TypeError, ValueError, AttributeError, ConfigError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} does not hold PHALAR's weights: {reason}") from error
    return network.eval()


def translated(state: Mapping[str, torch.Tensor], network: Phalar) -> dict[str, torch.Tensor]:
    """Return published parameters under our names.

    Raises:
        ValueError: naming what is missing, foreign, or made for another transform.
    """
    names = {published_name(ours): ours for ours in network.state_dict()}
    missing = sorted(names.keys() - state.keys())
    foreign = sorted(name for name in state.keys() - names.keys() if TRANSFORM not in name)
    if missing or foreign:
        raise ValueError(f"missing: {_few(missing)}; foreign: {_few(foreign)}")
    lengths = state.get(f"{TRANSFORM}lenghts")  # (sic)
    ours = network.levels.root_lengths.square().round()
    if lengths is not None and not torch.equal(lengths.float(), ours):
        raise ValueError("its constant-Q transform has filters of other lengths")
    weights = {ours: state[name] for name, ours in names.items()}
    return {
        # They stack real and imaginary rows in one matrix; ours has an axis for that.
        name: weight.unflatten(0, (2, -1)) if name in _COMPLEX else weight
        for name, weight in weights.items()
    }


_COMPLEX = ("head.1.weight", "head.4.weight", "bilinear.weight")


def published_name(ours: str) -> str:
    """Return what the published program calls one of our parameters."""
    for pattern, theirs in RENAMED:
        name, found = re.subn(pattern, theirs, ours)
        if found:
            return name
    raise ValueError(f"the published network has no {ours}")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more or "none"
