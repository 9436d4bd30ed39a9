"""Strangers' beats, features and maps: a line, or made anew; never a crash, never elsewhere."""

import numpy as np
import pytest

from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import DatabaseError
from mashnet.library.phrase_index import PhraseIndex
from mashnet.library.placing import best_pairs
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from tests.phrases import phrase_library


@pytest.fixture
def placer():
    return PlaceNetScorer(PlaceNet(), PhraseFrontend(bars=4), name="placenet")


def changed(database, clip_id, **columns):
    rows = database.clips.to_dicts()
    database.write_table(
        "clips", [{**row, **columns} if row["clip_id"] == clip_id else row for row in rows]
    )


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"tempo_bpm": 5e-324}, "no tempo"),
        ({"beats": [3.0, 2.0, 1.0], "downbeats": [3.0, 1.0], "tempo_bpm": None}, "whole bars"),
        ({"beats": [100.0 + i for i in range(40)], "downbeats": [100.0, 104.0]}, "whole bars"),
        ({"duration_s": 0.0}, "whole bars"),
    ],
)
def test_one_odd_clip_is_left_out_and_the_others_are_compared(tmp_path, placer, columns, why):
    database = phrase_library(tmp_path, 3, bars=9)
    changed(database, "001", **columns)
    found = best_pairs(database, placer)
    assert all("001" not in (pair.base, pair.guest) for pair in found.pairs)
    assert any("Song 1" in line and why in line for line in found.left_out)


def test_features_that_are_no_sound_are_not_compared(tmp_path, placer):
    database = phrase_library(tmp_path, 3, bars=9)
    best_pairs(database, placer)
    path = next((tmp_path / "cache" / "beats").glob("*/*.npy"))
    table = np.load(path)
    table["embedding"][0] = 1e38
    path.unlink()
    import hashlib
    import io

    buffer = io.BytesIO()
    np.save(buffer, table)
    name = hashlib.blake2b(buffer.getbuffer(), digest_size=16).hexdigest()
    (path.parent / f"{name}.npy").write_bytes(buffer.getbuffer())
    found = best_pairs(database, placer)
    assert found.pairs and all(np.isfinite(pair.placement.score) for pair in found.pairs)
    assert any("damaged" in line for line in found.left_out)


def test_a_link_in_the_cache_of_phrases_is_not_followed(tmp_path, placer):
    database = phrase_library(tmp_path / "db", 3, bars=9)
    PhraseIndex(database, placer)
    (folder,) = [p for p in (tmp_path / "db/cache/phrases").glob("*/*") if p.is_dir()]
    outside = tmp_path / "outside"
    folder.rename(outside)
    (outside / "thesis.npy").write_bytes(b"mine")
    folder.symlink_to(outside)
    with pytest.raises(DatabaseError, match="link"):
        PhraseIndex(database, placer)
    assert (outside / "thesis.npy").read_bytes() == b"mine"


def test_a_stem_of_a_few_samples_is_silence(tmp_path, placer):
    import soundfile

    database = phrase_library(tmp_path, 3, bars=9)
    soundfile.write(tmp_path / "audio/001-vocal.flac", np.zeros(100, np.float32), 16_000)
    found = best_pairs(database, placer)
    assert all(pair.guest != "001" for pair in found.pairs)  # silence fits nothing
    assert any(pair.base == "001" for pair in best_pairs(database, placer).pairs) or found.pairs
