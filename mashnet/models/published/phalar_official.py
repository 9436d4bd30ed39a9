"""PHALAR as it was published: the authors' checkpoint in our network, with the same scores."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import CheckpointError, ConfigError
from mashnet.models.limits import TooLarge, require_sane
from mashnet.models.published.weights_file import weights_file
from mashnet.models.stems.phalar import Phalar
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.torch_file import TorchFile, torch_file
from mashnet.models.weights import named_anew, require_weights, weights_in, with_weights

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
_MOST_DEPTH = 100  # pairs of blocks; the published network has 5
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
        path = weights_file(weights, scorer=self.name, source=SOURCE)
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
    require_weights(path)
    texts = {f"contrastive_model.constants.{name}": _text for name in ENUMERATIONS}
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(torch_file(path, made=texts))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error
        return _network_of(path, file, hermitian).eval()


def _text(value: str) -> str:
    """Return what an enumeration's member is called; raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("one of its settings is no text")
    return value


def _shown(value: Any) -> str:
    """Return a setting as messages have it: short, and what may be long only by its kind."""
    if value is None or isinstance(value, str | int | float):
        return str(value)[:100]
    return f"a {type(value).__name__}"


def _network_of(path: Path, file: TorchFile, hermitian: bool) -> Phalar:
    checkpoint = file.values
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
                f"{path} was trained with {name}={_shown(settings.get(name, absent))}, which is "
                f"not PHALAR; take {SOURCE}"
            )
    sizes = {ours: settings.get(name, absent) for name, (ours, absent) in SIZES.items()}

    def build() -> Phalar:
        return Phalar(**sizes, hermitian=hermitian)

    try:
        require_sane({"sizes": sizes, "frontend": {}})
        # The filters of their transform are made anew here: of them the lengths are compared.
        learned = {name: value for name, value in state.items() if TRANSFORM not in str(name)}
        weights = weights_in(path, file, learned)
        if sizes["depth"] > _MOST_DEPTH:
            raise ValueError(f"it has {sizes['depth']} pairs of blocks")
        with torch.device("meta"):
            names = _names(build(), weights.outline)
        network = with_weights(build, named_anew(weights, names, _unstacked))
        _require_filters(path, file, state, network)
        return network
    except (
        RuntimeError, TypeError, ValueError, AttributeError, ConfigError, CheckpointError, TooLarge
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} does not hold PHALAR's weights: {reason}") from error


def _names(network: Phalar, published: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Return our name → theirs.

    Raises:
        ValueError: naming what is missing or foreign.
    """
    names = {ours: published_name(ours) for ours in network.state_dict()}
    theirs = set(names.values())
    missing = sorted(theirs - published.keys())
    foreign = sorted(published.keys() - theirs)
    if missing or foreign:
        raise ValueError(f"missing: {_few(missing)}; foreign: {_few(foreign)}")
    return names


def _unstacked(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Return a weight as ours is: theirs stacks real and imaginary rows in one matrix."""
    return weight.unflatten(0, (2, -1)) if name in _COMPLEX else weight


def _require_filters(path: Path, file: TorchFile, state: Mapping[str, Any], ours: Phalar) -> None:
    """Raise a ValueError if the weights were made for another transform."""
    name = f"{TRANSFORM}lenghts"  # (sic)
    if name not in state:
        return
    lengths = weights_in(path, file, {name: state[name]}).read()[name]
    if not torch.equal(lengths.float(), ours.levels.root_lengths.square().round()):
        raise ValueError("its constant-Q transform has filters of other lengths")


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
