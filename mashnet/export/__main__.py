"""python -m mashnet.export checkpoint=runs/<run> out=checkpoints/premixnet_lsro."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from mashnet.cli import entry_point
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import load_scorer


@entry_point("export")
def main(config: DictConfig) -> None:
    """Export a bundle and say how to use it."""
    out = export_bundle(Path(config.checkpoint), Path(config.out))
    size = sum(p.stat().st_size for p in out.iterdir()) / 1e6
    print(f"bundle: {out} ({size:.1f} MB, self-check passed)")
    files = " ".join(f"{role}={role}.wav" for role in load_scorer(out).roles)
    print(f"score:  python -m mashnet.score {out} {files}")


if __name__ == "__main__":
    main()
