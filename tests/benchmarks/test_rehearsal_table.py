"""The table of what models take on a GPU, computed without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.rehearsal import main
from mashnet.errors import ConfigError


def test_hours_are_operations_over_the_chips_peak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        [
            "models=[loop_cnn,stem_jepa]",
            "scale=small",
            "overrides=[scale.jepa.sizes.depth=1]",
            f"out={tmp_path}",
        ]
    )
    found = json.loads((tmp_path / "rehearsal.json").read_text())
    loops, stems = found["models"]
    assert found["peak_tflops"] == 989.0 and found["share"] == 0.4
    assert loops["hours"] is None and loops["batch"] == 128
    flop = stems["tflop_per_step"] * stems["published_steps"]
    assert stems["hours"] == pytest.approx(flop / (0.4 * 989) / 3600, abs=0.06)
    table = (tmp_path / "rehearsal.md").read_text()
    assert table.startswith("Computed, not measured") and "| loop_cnn | 128 |" in table


def test_an_unknown_chip_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chip"):
        main(["chip=H2000", f"out={tmp_path}"])
