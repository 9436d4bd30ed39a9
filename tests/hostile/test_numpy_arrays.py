"""Arrays of numpy in files of torch.save: nothing is run, and no file asks for more than it has."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mashnet.errors import CheckpointError
from mashnet.models import plain_pickle
from mashnet.models.numpy_arrays import numpy_weights
from tests.hostile.bundles import pickled


def with_pickle(path: Path, change) -> Path:
    """Write a file of one array, with its pickle changed."""
    torch.save({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, change(data) if name.endswith("data.pkl") else data)
    return path


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught, numpy_weights(path) as weights:
        weights.read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_arrays_come_back_as_they_were(tmp_path) -> None:
    arrays = {
        "all": np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32),
        "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
        "half": np.array([0.5, -2], np.float16),
        "one": np.array(7, np.float32),
    }
    torch.save(arrays, tmp_path / "x.ckpt")
    with numpy_weights(tmp_path / "x.ckpt") as weights:
        found = weights.read()
        assert {n: v.shape for n, v in weights.outline.items()} == {
            n: v.shape for n, v in found.items()
        }
    for name, array in arrays.items():
        assert found[name].numpy().dtype == array.dtype
        assert np.array_equal(found[name].numpy(), array)


def test_a_pickle_that_is_a_program_is_not_run(tmp_path) -> None:
    canary = tmp_path / "canary"
    assert "blocked" in refused(with_pickle(tmp_path / "x.ckpt", lambda _: pickled(canary)))
    (tmp_path / "y.ckpt").write_bytes(pickled(canary))
    refused(tmp_path / "y.ckpt")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"K\x02K\x03\x86", b"K\x02K\x04\x86", "has not as many numbers as its shape"),
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "has not as many numbers"),
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86", "is no plain array"),
        (b"K\x02K\x03\x86", b"]", "is no plain array"),
        (b"f4", b"O8", "has no numbers of the kinds"),
        (b"f4", b"f8", "has not as many numbers"),
        (b"<", b">", "has no numbers of the kinds"),
        (b"numpy\nndarray", b"posix\nsystem\x00", "blocked|damaged|names"),
        (b"_codecs\nencode", b"builtins\nbytearray", "names builtins.bytearray"),
    ],
)
def test_arrays_that_are_none_are_named(tmp_path, old, new, reason) -> None:
    changed = []

    def change(content: bytes) -> bytes:
        changed.append(content.count(old))
        return content.replace(old, new, 1)

    message = refused(with_pickle(tmp_path / "x.ckpt", change))
    assert changed[0] >= 1
    assert any(part in message for part in reason.split("|")), message


def test_numbers_that_are_not_finite_are_refused(tmp_path) -> None:
    torch.save({"a": np.array([1, np.nan], np.float32)}, tmp_path / "x.ckpt")
    assert "not finite" in refused(tmp_path / "x.ckpt")


def test_a_long_pickle_may_have_long_texts_but_no_more_values_than_a_short_one(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_BYTES", 1000)
    lists = b"\x80\x02" + b"]" * 1001 + b"}."
    assert "operations" in refused(with_pickle(tmp_path / "x.ckpt", lambda _: lists))
    torch.save({"a": np.ones(1000, np.float32)}, tmp_path / "y.ckpt")
    with numpy_weights(tmp_path / "y.ckpt") as weights:
        assert weights.read()["a"].sum() == 1000
