"""Searching a library for the stems that fit a mix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.data.parts import FilePart, Query
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import AudioError, CheckpointError, ConfigError, DatabaseError
from mashnet.files import file_digest
from mashnet.library import block_indexes
from mashnet.library import search as program
from mashnet.library.search import COLUMNS, format_table, retrieve
from mashnet.library.stems import StemLibrary, model_id
from mashnet.models.stems.scoring import StemNetwork, StemScorer
from mashnet.retrieve import main
from tests.conftest import make_tiny_database

ROOT = Path(__file__).resolve().parents[2]
RATE = 8000


class Spectra(StemNetwork):
    """Hears the mean spectrum in a few bands; listens to the instrument if told to."""

    sample_rate = RATE

    def __init__(self, *, listens: bool = True, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.mix = torch.nn.Parameter(torch.randn(40, 24, generator=generator))
        self.listens = listens
        self.encoded = 0

    def embed_context(self, waves, instruments):
        vectors = self._bands(waves)
        if self.listens:
            vectors = vectors + torch.tensor([[float(len(text))] for text in instruments])
        return torch.nn.functional.normalize(vectors @ self.mix, dim=1)

    def embed_target(self, waves):
        self.encoded += bool(waves.any())  # by silence a library learns the embeddings' width
        return torch.nn.functional.normalize(self._bands(waves) @ self.mix, dim=1)

    def _bands(self, waves):
        spectrum = torch.fft.rfft(waves)[:, 1:].abs()
        bands = spectrum[:, : spectrum.shape[1] // 40 * 40].unflatten(1, (40, -1))
        return bands.mean(-1).add(1e-6).log()


class MeetingSpectra(Spectra):
    windows_meet = True


class AveragedSpectra(Spectra):
    windows_meet = False


def scorer_of(network: StemNetwork, *, window_s: float = 4.0) -> StemScorer:
    return StemScorer(network, StemFrontend(sample_rate=RATE, window_s=window_s), name="spectra")


@pytest.fixture
def database(tmp_path: Path) -> MashupDB:
    """24 stems of eight songs."""
    return make_tiny_database(tmp_path / "tiny", songs=8)


@pytest.fixture(params=[MeetingSpectra, AveragedSpectra])
def scorer(request: pytest.FixtureRequest) -> StemScorer:
    return scorer_of(request.param())


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    path = tmp_path / "my mix é.flac"
    noise = np.random.default_rng(0).standard_normal(10 * RATE)
    write_flac(path, (0.1 * noise)[None].astype("f4"), RATE)
    return path


def by_hand(scorer: StemScorer, database: MashupDB, query: Query) -> list[tuple[str, float]]:
    """Score every stem with the Scorer itself; best first."""
    scores = {
        stem: float(scorer.score(query, [{"target": FilePart(database.audio_path(stem))}])[0])
        for stem in database.stem_rows
    }
    return sorted(scores.items(), key=lambda pair: -pair[1])


@pytest.mark.parametrize("exact_up_to", [50_000, 5])
def test_the_best_by_search_are_the_best_by_scoring(
    database: MashupDB, scorer: StemScorer, mix: Path, exact_up_to: int
) -> None:
    query = Query({"context": FilePart(mix)}, instrument="flute")
    library = StemLibrary(database.root, scorer, exact_up_to=exact_up_to)
    assert library.is_exact == (exact_up_to > 24 or scorer.network.windows_meet)
    found = library.search(query, 7)
    expected = by_hand(scorer, database, query)[:7]
    assert [stem for stem, _ in found] == [stem for stem, _ in expected]
    assert [score for _, score in found] == pytest.approx([s for _, s in expected], abs=1e-5)


def test_only_what_is_new_in_the_library_is_encoded(
    database: MashupDB, scorer: StemScorer, mix: Path
) -> None:
    def encoded() -> int:
        before = scorer.network.encoded
        StemLibrary(database.root, scorer)
        return scorer.network.encoded - before

    assert encoded() == 24
    assert encoded() == 0
    stems = database.stems
    database.write_table("stems", stems[:22])
    assert encoded() == 0
    database.write_table("stems", stems)
    assert encoded() == 2
    # The same id, another sound: a database that was built anew.
    write_flac(database.audio_path(stems["stem_id"][0]), np.ones((1, 900), "f4") / 2, RATE)
    assert encoded() == 1
    # Other weights or another cut, other embeddings.
    for other in (type(scorer.network)(seed=1), type(scorer.network)()):
        library = scorer_of(other, window_s=2.0 if other.mix.equal(scorer.network.mix) else 4.0)
        StemLibrary(database.root, library)
        assert other.encoded == 24


def test_a_large_library_keeps_its_index(
    database: MashupDB, mix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = scorer_of(AveragedSpectra())
    built: list[int] = []
    build = block_indexes.VectorIndex.build
    monkeypatch.setattr(
        block_indexes.VectorIndex,
        "build",
        lambda chunks, **kw: built.append(sum(map(len, chunks))) or build(chunks, **kw),
    )
    query = Query({"context": FilePart(mix)})

    def search() -> None:
        built.clear()
        found = StemLibrary(database.root, scorer, exact_up_to=10).search(query, 5)
        expected = by_hand(scorer, database, query)[:5]
        assert [stem for stem, _ in found] == [stem for stem, _ in expected]

    stems = database.stems
    database.write_table("stems", stems[:20])
    search()
    assert built == [20]
    search()
    assert built == []
    database.write_table("stems", stems)  # 4 more are compared one by one
    search()
    assert built == [4]
    database.write_table("stems", stems[1:])  # the block of the first is written anew
    search()
    assert built == [23]
    folder = next((database.root / "cache" / "embeddings").iterdir())
    assert len(list(folder.glob("index-*"))) == 2
    next(folder.glob("index-*.faiss")).write_bytes(b"nonsense")
    search()
    assert built == [23]


@pytest.mark.parametrize("shape", [(1, 7), (3, 25)])
def test_embeddings_of_a_stranger_end_no_search_with_a_traceback(
    database: MashupDB, mix: Path, shape: tuple[int, int]
) -> None:
    scorer = scorer_of(AveragedSpectra())
    query = Query({"context": FilePart(mix)})
    library = StemLibrary(database.root, scorer)
    expected = library.search(query, 5)
    (path,) = (block.path for block in library.blocks)
    keys = library.blocks[0].keys
    path.unlink()
    path.parent.mkdir(exist_ok=True)
    table = np.ones(8, [("key", f"U{max(map(len, keys))}"), ("embedding", "<f4", shape)])
    table["key"] = keys[:8]
    np.save(path.parent / "x.npy", table)
    (path.parent / "x.npy").rename(path.parent / f"{file_digest(path.parent / 'x.npy')}.npy")
    again = StemLibrary(database.root, scorer)
    assert len(again) == 24
    found = again.search(query, 5)
    if shape[1] == 25:  # whoever writes its numbers decides what is found, but nothing ends
        assert len(found) == 5
    else:
        assert dict(found) == pytest.approx(dict(expected))


def test_silent_stems_are_never_found(database: MashupDB, scorer: StemScorer, mix: Path) -> None:
    silent = database.stems["stem_id"][4]
    write_flac(database.audio_path(silent), np.zeros((1, 9000), "f4"), RATE)
    for exact_up_to in (50_000, 5):
        library = StemLibrary(database.root, scorer, exact_up_to=exact_up_to)
        found = library.search(Query({"context": FilePart(mix)}), 24)
        assert silent not in dict(found)
        assert len(found) == (23 if library.is_exact else len(found))


def test_stems_that_cannot_be_read_are_left_out_with_one_line(
    database: MashupDB, scorer: StemScorer, mix: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [database.audio_path(stem) for stem in database.stems["stem_id"][:2]]
    paths[0].unlink()
    paths[1].write_bytes(b"no sound")
    library = StemLibrary(database.root, scorer)
    assert len(library) == 22
    lines = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(lines) == 1
    assert lines[0].startswith("2 of 24 stems cannot be used and are left out; the first: ")


def test_a_library_without_stems_is_refused(database: MashupDB, scorer: StemScorer) -> None:
    database.write_table("stems", database.stems[:0])
    with pytest.raises(DatabaseError, match="has no stems to search"):
        StemLibrary(database.root, scorer)


def test_a_models_id_is_its_weights_frontend_and_settings() -> None:
    ids = {
        model_id(scorer_of(AveragedSpectra())),
        model_id(scorer_of(MeetingSpectra())),
        model_id(scorer_of(AveragedSpectra(seed=1))),
        model_id(scorer_of(AveragedSpectra(), window_s=2.0)),
        model_id(scorer_of(AveragedSpectra()), {"sizes": {"heads": 3}}),
    }
    assert len(ids) == 5
    assert model_id(scorer_of(AveragedSpectra())) in ids


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose network is `AveragedSpectra`."""
    folder = tmp_path / "run"
    folder.mkdir()
    model = {"network": "spectra", "sizes": {}, "frontend": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    monkeypatch.setattr(program, "load_scorer", lambda path: scorer_of(AveragedSpectra()))
    monkeypatch.setattr(program, "encoder", lambda path: None)  # processes would load the run
    return folder


def test_the_table(database: MashupDB, run: Path, mix: Path) -> None:
    found = retrieve(run, mix=mix, library=database.root, instrument="flute", top=5)
    assert dict(found.schema) == COLUMNS
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]
    assert found["score"].is_sorted(descending=True)
    for row in found.iter_rows(named=True):
        assert Path(row["path"]).is_file()
        assert row["label"] == Path(row["path"]).stem
        clip = database.clip_rows[row["clip_id"]]
        assert (row["title"], row["artist"]) == (clip["title"], clip["artist"])
    assert len(retrieve(run, mix=mix, library=database.root, top=100)) == 24


def test_the_command_prints_the_table_and_writes_it(
    database: MashupDB,
    run: Path,
    mix: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "found" / "results.csv"
    arguments = [str(run), f"mix={mix}", f"library={database.root}", "top=3", f"out={out}"]
    main([*arguments, "instrument=fretless bass = deep"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == list(COLUMNS)
    assert len(printed) == 1 + 3 + 1
    assert printed[-1] == f"written: {out}"
    assert pl.read_csv(out).columns == list(COLUMNS)
    assert len(pl.read_csv(out)) == 3


def test_the_instrument_counts(database: MashupDB, run: Path, mix: Path) -> None:
    one, other = (
        retrieve(run, mix=mix, library=database.root, instrument=i) for i in ("a", "b" * 50)
    )
    assert one["score"].to_list() != other["score"].to_list()


@pytest.mark.parametrize(("listens", "instrument"), [(False, "flute"), (True, "flute")])
def test_who_ignores_the_instrument_says_so(
    database: MashupDB,
    run: Path,
    mix: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    listens: bool,
    instrument: str,
) -> None:
    monkeypatch.setattr(
        program, "load_scorer", lambda path: scorer_of(AveragedSpectra(listens=listens))
    )
    retrieve(run, mix=mix, library=database.root, instrument=instrument)
    said = "note: spectra takes no notice of the instrument" in capsys.readouterr().err
    assert said != listens
    retrieve(run, mix=mix, library=database.root)
    assert "note:" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"instrument": "  "}, ConfigError, 'instrument="" says nothing'),
        ({"top": 0}, ConfigError, "top=0: expected a whole number above 0"),
        ({"mix": "no such file.wav"}, AudioError, "no such file.wav"),
        ({"library": "no such library"}, DatabaseError, "no such library is not a MashupDB"),
    ],
)
def test_bad_input_is_named(
    database: MashupDB, run: Path, mix: Path, change: dict, kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message):
        retrieve(run, **({"mix": mix, "library": database.root} | change))


def test_a_silent_mix_is_refused(database: MashupDB, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    write_flac(path, np.zeros((1, 9000), "f4"), RATE)
    with pytest.raises(AudioError, match="is silent"):
        retrieve(run, mix=path, library=database.root)
    assert not (database.root / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: "),
        (["mix=a.wav"], "usage: "),
        (["run", "a.wav"], "'a.wav' is not key=value"),
        (["run", "mix=a.wav"], "library=… must be given"),
        (["run", "mix=a.wav", "libary=db"], "Did you mean 'library'"),
        (["run", "mix=a.wav", "library=db", "top=many"], "top=many: expected a whole number"),
        (["run", "mix=a.wav", "library=db", "top=-1"], "top=-1: expected a whole number"),
    ],
)
def test_mistyped_settings_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        main(arguments)


def test_a_network_that_judges_something_else_is_refused(database: MashupDB, mix: Path) -> None:
    bundle = ROOT / "checkpoints" / "premixnet"
    with pytest.raises(ConfigError, match="judges mixes; to search for stems, take a network"):
        retrieve(bundle, mix=mix, library=database.root)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        retrieve("runs/nothing here", mix=mix, library=database.root)


def test_the_program_ends_with_one_line_and_status_2(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "mashnet.retrieve", "runs/nothing", "mix=a.wav", "library=b"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: there is no checkpoint")
    assert len(result.stderr.splitlines()) == 1


def test_columns_are_aligned() -> None:
    row = dict.fromkeys(COLUMNS, "x") | {"rank": 10, "score": 0.123456, "artist": None}
    lines = format_table(pl.DataFrame([row], schema=COLUMNS)).splitlines()
    assert lines[1].startswith("10    0.1235  x      ")
    assert lines[0].index("label") == lines[1].index("x", 20)
