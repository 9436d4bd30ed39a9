"""python -m mashnet.export checkpoint=runs/<run> out=checkpoints/premixnet_lsro."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from mashnet.cli import entry_point
from mashnet.export.bundle import export_bundle


@entry_point("export")
def main(config: DictConfig) -> None:
    """Export a bundle and say how to use it."""
    out = export_bundle(Path(config.checkpoint), Path(config.out))
    size = sum(p.stat().st_size for p in out.iterdir()) / 1e6
    print(f"bundle: {out} ({size:.1f} MB, self-check passed)")
    print(f"score:  python -m mashnet.score {out} vocal=a.wav harmonic=b.wav percussion=c.wav")


if __name__ == "__main__":
    main()
