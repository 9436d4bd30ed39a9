from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes import part_store
from mashnet.data.mixes.part_store import PartStore, StoredPart
from mashnet.data.mixes.recipes import Recipe
from mashnet.errors import ConfigError, MashnetError
from mashnet.execution.local import LocalExecutor
from tests.metronome import RATE, MetronomeDB, stem_id


def database_of(root: Path, songs: int = 3, gain: float = 1.0) -> tuple[MashupDB, list[Recipe]]:
    metronome = MetronomeDB(root)
    clips = [metronome.add(tempo_bpm=100 + 5 * i, duration_s=5.0, gain=gain) for i in range(songs)]
    recipes = [
        Recipe(
            mix_id=f"{i}",
            condition="matched",
            vocal=(stem_id(clips[0], "vocal"),),
            harmonic=(stem_id(clip, "harmonic"),),
            percussion=(stem_id(clip, "percussion"),),
            semitones=1,
            ratio_h=100 / (100 + 5 * i),
            ratio_p=100 / (100 + 5 * i),
            duration_s=3.0,
        )
        for i, clip in enumerate(clips)
    ]
    database = metronome.write()
    database.update_manifest(mixes={"sample_rate": RATE, "engine": "pylibrb"})
    return database, recipes


def parts_of(store: PartStore, recipes: list[Recipe]) -> list[StoredPart]:
    return [store.part(recipe, role) for recipe in recipes for role in ROLES]


def test_a_part_is_rendered_once_and_read_from_then_on(tmp_path, monkeypatch) -> None:
    database, recipes = database_of(tmp_path)
    store = PartStore(database)
    stored = store.part(recipes[1], "harmonic")
    assert not stored.path.exists()
    first = stored.waveform(RATE)
    np.testing.assert_allclose(first, stored.part.waveform(RATE), atol=1e-4)
    monkeypatch.setattr(
        part_store.RenderedPart, "waveform", lambda *_: pytest.fail("rendered again")
    )
    assert PartStore(database).part(recipes[1], "harmonic").waveform(RATE).tobytes() == (
        first.tobytes()
    )


def test_all_parts_are_the_same_bytes_whatever_the_number_of_workers(tmp_path) -> None:
    files = []
    for workers in (1, 2):
        database, recipes = database_of(tmp_path / str(workers))
        store = PartStore(database)
        parts = parts_of(store, recipes)
        # One vocal, and one percussion that is untouched, for three recipes.
        assert (
            store.render_all(parts, executor=LocalExecutor(workers))
            == len({p.part_id for p in parts})
            == 7
        )
        files.append({p.path.name: p.path.read_bytes() for p in parts})
    assert files[0] == files[1]


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch) -> None:
    database, recipes = database_of(tmp_path)
    store = PartStore(database)
    parts = parts_of(store, recipes)
    write = part_store.write_flac

    def write_three(path: Path, *rest: object) -> None:
        if sum(p.path.is_file() for p in parts) >= 3:
            raise KeyboardInterrupt
        write(path, *rest)

    monkeypatch.setattr(part_store, "write_flac", write_three)
    with pytest.raises(KeyboardInterrupt):
        store.render_all(parts, executor=LocalExecutor(1))
    monkeypatch.undo()
    leftover = store.folder / "ab" / ".part.x.partial.flac"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"half a fi")
    present = {p.path for p in parts if p.path.is_file()}
    written = {path: path.stat().st_mtime_ns for path in present}
    assert 1 <= len(present) < 7
    assert store.render_all(parts, executor=LocalExecutor(2)) == 7 - len(present)
    assert written == {path: path.stat().st_mtime_ns for path in present}
    assert not leftover.exists()
    assert store.render_all(parts, executor=LocalExecutor(2)) == 0


def test_what_cannot_be_read_ends_the_run_with_its_name(tmp_path) -> None:
    database, recipes = database_of(tmp_path)
    broken = database.audio_path(stem_id(database.clips["clip_id"][1], "harmonic"))
    broken.write_bytes(b"no sound")
    store = PartStore(database)
    with pytest.raises(MashnetError, match=broken.name):
        store.render_all(parts_of(store, recipes), executor=LocalExecutor(2))


@pytest.mark.parametrize(("peak", "kept"), [(3.0, 3.0), (9.0, 4.0)])
def test_peaks_are_never_clipped(tmp_path, monkeypatch, peak: float, kept: float) -> None:
    database, recipes = database_of(tmp_path)
    stored = PartStore(database).part(recipes[0], "vocal")
    tone = peak * np.sin(np.arange(3 * RATE) * 0.05).astype(np.float32)
    monkeypatch.setattr(part_store.RenderedPart, "waveform", lambda *_: tone)
    read = stored.waveform(RATE)
    assert np.abs(read).max() == pytest.approx(kept, rel=1e-3)
    np.testing.assert_allclose(read, tone * kept / peak, atol=2e-3)  # quieter, of the same shape


def test_another_rate_than_the_stores_is_resampled(tmp_path) -> None:
    database, recipes = database_of(tmp_path)
    stored = PartStore(database).part(recipes[0], "vocal")
    assert stored.waveform(8000).shape == (3 * 8000,)
    assert read_audio(stored.path)[1] == RATE


def test_ids_depend_on_the_rate_and_the_engine_of_the_store(tmp_path) -> None:
    database, recipes = database_of(tmp_path)
    first = [PartStore(database).part(recipes[1], role).part_id for role in ROLES]
    database.update_manifest(mixes={"sample_rate": 22050, "engine": "pylibrb"})
    other_rate = [PartStore(database).part(recipes[1], role).part_id for role in ROLES]
    assert not set(first) & set(other_rate)
    database.update_manifest(mixes={"sample_rate": RATE, "engine": "pylibrb_r2"})
    other_engine = [PartStore(database).part(recipes[1], role).part_id for role in ROLES]
    assert first[0] == other_engine[0]  # the untouched vocal
    assert first[1] != other_engine[1]


def test_an_unknown_engine_is_refused(tmp_path) -> None:
    database, _ = database_of(tmp_path)
    database.update_manifest(mixes={"engine": "pilibrb"})
    with pytest.raises(ConfigError, match="Did you mean 'pylibrb'"):
        PartStore(database)
