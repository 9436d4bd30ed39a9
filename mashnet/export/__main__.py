"""python -m mashnet.export checkpoint=runs/<run> out=checkpoints/premixnet_lsro [format=onnx]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mashnet.commands.hydra_program import entry_point
from mashnet.commands.imports import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("export")
def main(config: DictConfig) -> None:
    """Export a bundle and say how to use it."""
    # Imported here: a mistyped setting is refused without torch.
    with importing():
        from mashnet.export.bundle import export_bundle
        from mashnet.models.loading import load_scorer

    out = export_bundle(Path(config.checkpoint), Path(config.out), format=str(config.format))
    size = sum(p.stat().st_size for p in out.iterdir()) / 1e6
    print(f"bundle: {out} ({size:.1f} MB, self-check passed)")
    for path in sorted(out.glob("*.onnx")):
        print(f"onnx:   {path} ({path.stat().st_size / 1e6:.1f} MB)")
    files = " ".join(f"{role}={role}.wav" for role in load_scorer(out).roles)
    print(f"score:  python -m mashnet.score {out} {files}")


if __name__ == "__main__":
    main()
