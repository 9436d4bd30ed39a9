"""Weights of strangers: what a file declares is counted before anything is made of it."""

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from demucs.htdemucs import HTDemucs
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.separation.separate import load_model
from mashnet.errors import CheckpointError, ConfigError, MashnetError
from mashnet.models.loading import load_scorer
from mashnet.models.plain_pickle import plain_values
from mashnet.models.published import cocola_official, phalar_official
from mashnet.models.text_encoder_path import ALLOWED
from mashnet.models.torch_file import torch_file
from mashnet.models.weights import safetensors_weights, weights_in
from tests.hostile.bundles import CONFIG, WEIGHTS, pickled, signed
from tests.hostile.reader import MOST_MORE_BYTES, Reader

BUNDLES = Path(__file__).resolve().parents[2] / "checkpoints"
EXPANDED = torch.zeros(1).expand(400_000_000)
NONE_OF_OURS: dict[str, Callable[[], Any]] = {
    "expanded": lambda: EXPANDED,
    "expanded-2d": lambda: torch.zeros(1, 1000).expand(400_000, 1000),
    "sparse": lambda: torch.sparse_coo_tensor(torch.tensor([[0]]), torch.ones(1), (1 << 40,)),
    "sparse-csr": lambda: torch.eye(3).to_sparse_csr(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "meta": lambda: torch.empty(1 << 40, device="meta"),
    "float8": lambda: torch.zeros(8).to(torch.float8_e4m3fn),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "text": lambda: "no",
    "nothing": lambda: None,
}


def run_with(folder: Path, state: Any) -> Path:
    """Return a run whose checkpoint has this state."""
    (folder / "checkpoints").mkdir(parents=True)
    shutil.copy(BUNDLES / "alignnet" / CONFIG, folder)
    torch.save({"state_dict": state, "epoch": 1}, folder / "checkpoints" / "best.ckpt")
    return folder


@pytest.mark.parametrize("kind", NONE_OF_OURS)
def test_a_checkpoint_with_an_array_that_is_none(tmp_path: Path, kind: str) -> None:
    state = {"network.weights": NONE_OF_OURS[kind]()}
    run = run_with(tmp_path / "run", state)
    with pytest.raises(CheckpointError, match=r"network\.weights|readable checkpoint") as caught:
        load_scorer(run)
    assert "\n" not in str(caught.value)
    path = run / "checkpoints" / "best.ckpt"
    with pytest.raises(CheckpointError):
        cocola_official.load_published(path)
    torch.save({"state_dict": state, "hyper_parameters": {}}, path)
    with pytest.raises(CheckpointError):
        phalar_official.load_published(path)
    facts = {"klass": HTDemucs, "args": (), "kwargs": {"sources": ["a"]}}
    torch.save({**facts, "state": {"a": NONE_OF_OURS[kind]()}}, tmp_path / "x.th")
    with pytest.raises(MashnetError, match="the Demucs weights 'x' cannot be had"):
        load_model("x", tmp_path)


def test_an_array_that_is_none_beside_the_network_does_not_matter(tmp_path: Path) -> None:
    bundle = load_scorer(BUNDLES / "alignnet")
    state = {f"network.{name}": value for name, value in bundle.network.state_dict().items()}
    others = {f"other.{kind}": make() for kind, make in NONE_OF_OURS.items() if kind != "float8"}
    found = load_scorer(run_with(tmp_path / "run", {**state, **others})).network.state_dict()
    for name, value in bundle.network.state_dict().items():
        assert torch.equal(found[name], value) and found[name].dtype == value.dtype


@pytest.mark.parametrize("door", ["run", "cocola", "phalar", "demucs"])
def test_a_compressed_checkpoint_is_refused_by_every_door(tmp_path: Path, door: str) -> None:
    path = run_with(tmp_path / "run", {"network.a": torch.zeros(9)}) / "checkpoints" / "best.ckpt"
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        archive.writestr("best/data/9", bytes(30_000_000))
    shutil.copy(path, tmp_path / "x.th")
    doors: dict[str, Callable[[], Any]] = {
        "run": lambda: load_scorer(tmp_path / "run"),
        "cocola": lambda: cocola_official.load_published(path),
        "phalar": lambda: phalar_official.load_published(path),
        "demucs": lambda: load_model("x", tmp_path),
    }
    with pytest.raises(MashnetError, match=r"compressed or overlap|cannot be had"):
        doors[door]()


@pytest.mark.parametrize("harm", ["changed", "cut short", "elsewhere", "long"])
def test_a_damaged_byteorder_is_refused_in_one_line(tmp_path: Path, harm: str) -> None:
    path = run_with(tmp_path / "run", {"network.a": torch.zeros(9)}) / "checkpoints" / "best.ckpt"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        order = archive.getinfo("best/byteorder")
    at = content.index(b"little", order.header_offset)
    listed = content.rindex(b"best/byteorder") - 46  # its entry in the list at the end
    if harm == "changed":  # the checksum does not hold
        content[at] = ord("L")
    elif harm == "cut short":  # it reaches beyond the end of the file
        content[listed + 42 : listed + 46] = struct.pack("<I", len(content) - 3)
    elif harm == "elsewhere":
        content[listed + 42 : listed + 46] = struct.pack("<I", 8)
    path.write_bytes(content)
    if harm == "long":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**entries, "best/byteorder": b"little" * 9}.items():
                archive.writestr(name, data)
    for door in (cocola_official.load_published, phalar_official.load_published):
        with pytest.raises(CheckpointError, match="byteorder|damaged|no file that") as caught:
            door(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError):
        load_scorer(tmp_path / "run")


def test_older_files_of_torch_are_refused_in_one_line(tmp_path: Path) -> None:
    path = run_with(tmp_path / "run", {}) / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"torch 1\.6 or newer"):
        load_scorer(tmp_path / "run")


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        ("cocola", {"embedding": 60_000}),  # a matrix that is filled as it is made: 14 GB
        ("cocola", {"width": 40.0, "depth": 1.0}),
        ("contrastive", {"width": 12_800}),
        ("jepa", {"hidden": 65_000}),
        ("jepa", {"layers": 60_000}),
        ("stem_jepa", {"hidden": 65_000, "width": 6400}),
        ("phalar", {"dimensions": 65_000, "features": 6000}),
        ("premixnet", {"joint_filters": 60_000, "dense": 60_000}),
    ],
)
def test_no_network_is_built_before_it_is_counted(
    reader: Reader, tmp_path: Path, network: str, changes: dict[str, Any]
) -> None:
    bundle = Path(shutil.copytree(BUNDLES / network, tmp_path / "bundle"))
    honest = reader.warm("bundle", bundle)
    config = yaml.safe_load((bundle / CONFIG).read_text())
    config["model"]["sizes"] |= changes
    (bundle / CONFIG).write_text(yaml.safe_dump(config))
    signed(bundle)
    outcome = reader.read("bundle", bundle)
    assert outcome.kind == "refused", outcome
    assert outcome.memory < honest + MOST_MORE_BYTES


def headed(entries: dict[str, Any], data: bytes = b"") -> bytes:
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "F4", "C64", "U16", "F128"])
def test_kinds_of_numbers_that_weights_do_not_have(tmp_path: Path, kind: str) -> None:
    bits = {"F4": 4, "C64": 64, "U16": 16, "F128": 128}.get(kind, 8)
    entry = {"dtype": kind, "shape": [16], "data_offsets": [0, 2 * bits]}
    (tmp_path / WEIGHTS).write_bytes(headed({"a": entry}, bytes(2 * bits)))
    with (
        pytest.raises(CheckpointError, match=r"cannot be used|is damaged"),
        safetensors_weights(tmp_path / WEIGHTS),
    ):
        pass


def test_a_header_of_a_million_empty_arrays_is_not_read(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    (tmp_path / WEIGHTS).write_bytes(headed({str(n): entry for n in range(100_000)}))
    with (
        pytest.raises(CheckpointError, match="its header has more than"),
        safetensors_weights(tmp_path / WEIGHTS),
    ):
        pass


@settings(max_examples=150, deadline=None)
@given(
    shape=st.lists(st.integers(0, 6), max_size=4),
    kind=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool]),
    cut=st.booleans(),
)
def test_what_torch_saved_is_read_back(
    tmp_path_factory: Any, shape: list[int], kind: torch.dtype, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("t") / "a.pt"
    value = torch.arange(max(1, torch.Size(shape).numel()) * 2).to(kind)
    value = value[: torch.Size(shape).numel()].reshape(shape)
    value = value[..., ::2] if cut and shape else value
    torch.save({"state": {"a": value, "b": value.T if value.dim() == 2 else value}}, path)
    with torch_file(path) as file:
        weights = weights_in(path, file, file.values["state"])
        assert weights.outline["a"].shape == value.shape and weights.outline["a"].is_meta
        found = weights.read()
    assert torch.equal(found["a"], value) and found["a"].dtype == value.dtype


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200))
def test_no_pickle_does_anything_but_fail(content: bytes) -> None:
    try:
        plain_values(b"\x80\x02" + content, made={}, referred=lambda _: None)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    "code",
    [
        b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",  # 2 GB of zeros
        b"c__builtin__\nset\n]\x85R.",
    ],
)
def test_what_a_pickle_wants_called_is_not_called(code: bytes) -> None:
    made = plain_values(b"\x80\x02" + code, made={}, referred=lambda _: None)
    assert type(made).__name__ == "ForeignObject"


@pytest.mark.parametrize("code", [b"]" * 5_000_000, b"\x8a\xff" + b"\x7f" * 255 + b".", b"}}Ns."])
def test_a_pickle_that_grows_or_collides_is_refused(code: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|64 bits|no names"):
        plain_values(b"\x80\x02" + code, made={}, referred=lambda _: None)


def shared(levels: int) -> bytes:
    """Return the code of a list in which each list stands twice in the next one."""
    code = b"]q\x00K\x01a"
    for level in range(levels):
        code += b"]q" + bytes([level + 1]) + b"(h" + bytes([level]) + b"h" + bytes([level]) + b"e"
    return code


def test_shared_lists_are_counted_wherever_they_stand() -> None:
    def values(code: bytes) -> Any:
        return plain_values(b"\x80\x02" + code + b".", made={}, referred=lambda _: None)

    assert values(shared(2)) == [[[1], [1]], [[1], [1]]]
    for code in (shared(14), shared(60), b"]q\x00h\x00a"):  # the last holds itself
        with pytest.raises(ValueError, match="too many values or is nested too deeply"):
            values(code)
    many = [{"step": float(n), "of": ["a", n]} for n in range(20_000)]
    assert plain_values(pickle.dumps(many, 2), made={}, referred=lambda _: None) == many


@pytest.mark.parametrize("levels", [8, 17, 60])
def test_no_message_grows_with_what_a_pickle_shares(tmp_path: Path, levels: int) -> None:
    value: Any = ["x" * 50]
    for _ in range(levels):
        value = [value, value]
    path = tmp_path / "x.th"
    for settings_ in ({"backbone_type": value}, {"input_freq_bins": value}, {"dropout_p": value}):
        torch.save({"hyper_parameters": settings_, "state_dict": {"a": torch.ones(2)}}, path)
        with pytest.raises(CheckpointError) as caught:
            phalar_official.load_published(path)
        assert len(str(caught.value)) < 1000
    facts = {"klass": HTDemucs, "args": (value,), "kwargs": {"sources": ["a"]}}
    torch.save({**facts, "state": {"a": torch.ones(2)}}, path)
    with pytest.raises(MashnetError, match="the Demucs weights 'x' cannot be had") as refused:
        load_model("x", tmp_path)
    assert len(str(refused.value)) < 1000


def test_a_list_of_parts_without_end_is_not_read(tmp_path: Path) -> None:
    path = run_with(tmp_path / "run", {}) / "checkpoints" / "best.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data.pkl", pickled(tmp_path / "canary"))
        archive.comment = b""
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    padding = bytes(20_000_000)
    listed = struct.unpack_from("<I", content, end + 12)[0]
    struct.pack_into("<I", content, end + 12, listed + len(padding))
    path.write_bytes(content[:end] + padding + content[end:])
    with pytest.raises(CheckpointError, match="is not a readable checkpoint"):
        load_scorer(tmp_path / "run")


@pytest.mark.parametrize("named", ["some/repo", "/etc", None])
def test_a_bundle_names_no_weights_beyond_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    monkeypatch.delenv(ALLOWED, raising=False)
    bundle = Path(shutil.copytree(BUNDLES / "jepa", tmp_path / "bundle"))
    config = yaml.safe_load((bundle / CONFIG).read_text())
    config["model"]["sizes"] |= {"text": "clap"} | ({"text_weights": named} if named else {})
    (bundle / CONFIG).write_text(yaml.safe_dump(config))
    signed(bundle)
    with pytest.raises(ConfigError, match=rf"{named or 'laion'}.*{ALLOWED}="):
        load_scorer(bundle)
    # What the user names is what is asked for, whatever the file says.
    chosen = tmp_path / "mine"
    for allow in ({"text_weights": str(chosen)}, {}):
        monkeypatch.setenv(ALLOWED, "" if allow else str(chosen))
        with pytest.raises((ConfigError, CheckpointError), match=r"mine|needs transformers"):
            load_scorer(bundle, **allow)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, "selfcheck.json"])
def test_a_pipe_in_place_of_a_bundles_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    bundle = Path(shutil.copytree(BUNDLES / "alignnet", tmp_path / "bundle"))
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(CheckpointError):
        load_scorer(bundle)
