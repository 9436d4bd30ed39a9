"""Packed log-mels of strangers: what has another shape or kind of numbers is made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.packed_mels import PackedMels, ShardedRows
from mashnet.data.parts import ArrayPart
from mashnet.errors import DatabaseError

RATE = 22_050
SOUNDS = [[ArrayPart(np.full(2 * RATE, level, np.float32), RATE)] for level in (0.1, 0.2, 0.3)]


@pytest.mark.parametrize("harm", ["float32", "rows", "mels", "axes", "cut", "empty", "none"])
def test_what_is_no_pack_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    frontend = LoopFrontend(sample_rate=RATE, n_fft=1024, hop_length=1024, n_mels=16)
    store = PackedMels(tmp_path / "mels", frontend)
    first = np.array(store.pack(SOUNDS, label=""))
    (path,) = store.folder.glob("*.npy")
    whole = path.read_bytes()
    path.unlink()
    arrays = {
        "float32": first.astype(np.float32),
        "rows": first[:2],
        "mels": first[:, :, :9],
        "axes": first.ravel(),
    }
    if harm in arrays:
        np.save(path, arrays[harm])
    else:
        path.write_bytes({"cut": whole[:-9], "empty": b"", "none": whole}[harm])
    again = store.pack(SOUNDS, label="")
    assert again.dtype == np.float16 and np.array_equal(again, first)
    assert ("is damaged (" in capsys.readouterr().err) == (harm != "none")
    assert path.read_bytes() == whole


def test_a_shard_of_another_shape_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.npy" for number in range(2)]
    rows = np.arange(3 * 2 * 4, dtype=np.float16).reshape(3, 2, 4)
    for path, part in zip(paths, (rows[:2], rows[2:]), strict=True):
        np.save(path, part)
    shards = ShardedRows(paths, 2, 3, (2, 4))
    assert np.array_equal(shards[np.array([2, 0, -2])], rows[[2, 0, 1]])
    assert np.array_equal(shards[2], rows[2])
    for other in (rows[:2, :1], rows[:1], rows[:2].astype(np.float32)):
        np.save(paths[0], other)
        with pytest.raises(DatabaseError, match="is damaged: it holds"):
            shards[np.array([0, 2])]
