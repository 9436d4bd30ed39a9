from __future__ import annotations

import numpy as np
import pytest

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.stem_retrieval.answers import ask_about
from mashnet.evaluation.subjects import decoded_stems
from mashnet.evaluation.subjects.stems import DatabaseStems, instrument_name

RATE = 16_000


def noise(seed, seconds, *, level=0.1):
    samples = np.random.default_rng(seed).uniform(-1, 1, round(seconds * RATE))
    return (level * samples).astype(np.float32)


def tail(seed, *, silent_s, seconds):
    """Silence, then noise."""
    samples = noise(seed, seconds)
    samples[: round(silent_s * RATE)] = 0
    return samples


def write(root, songs, *, split="test"):
    """Write a database of {song: [(role, label, samples), …]}; returns it."""
    database = MashupDB(root)
    clips, stems = [], []
    for song, parts in songs.items():
        clips.append(
            {
                "clip_id": f"clip-{song}",
                "song_id": song,
                "title": song,
                "duration_s": max(len(samples) for _, _, samples in parts) / RATE,
                "sample_rate": RATE,
                "split": split,
            }
        )
        for number, (role, label, samples) in enumerate(parts):
            path = f"audio/{song}-{number}.flac"
            write_flac(root / path, samples[None], RATE)
            power = float(np.mean(np.square(samples)))
            stems.append(
                {
                    "clip_id": f"clip-{song}",
                    "stem_id": f"{song}-{number}",
                    "role": role,
                    "label": label,
                    "path": path,
                    "rms_db": 10 * np.log10(max(power, 1e-12)),
                }
            )
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest()
    return database


BAND = [
    ("harmonic", "guitar/electric guitar/lead", noise(1, 8)),
    ("harmonic", "bass", noise(2, 8)),
    ("percussion", "Drums / kit", noise(3, 6)),  # ends before the others
    ("", "", noise(4, 8)),
]


def of(source, stem_id, labels="coarse"):
    return next(q for q in source.questions(labels) if q.stem_id == stem_id)


def sound(group):
    waves = [part.waveform(RATE) for part in group.values()]
    total = np.zeros(max(map(len, waves)))
    for wave in waves:
        total[: len(wave)] += wave
    return total


def test_a_stem_is_asked_for_by_the_others(tmp_path):
    write(tmp_path, {"band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    assert [q.stem_id for q in source.questions("coarse")] == [f"band-{n}" for n in range(4)]
    bass = of(source, "band-1")
    assert (bass.song, bass.label, bass.query.instrument) == ("band", "bass", "bass")
    assert set(bass.query) == {"harmonic", "percussion", "composite"}
    assert set(bass.candidate) == {"harmonic"}
    expected = BAND[0][2] + np.pad(BAND[2][2], (0, 2 * RATE)) + BAND[3][2]
    assert sound(bass.query) == pytest.approx(expected, abs=1e-4)
    assert sound(bass.candidate) == pytest.approx(BAND[1][2], abs=1e-4)
    drums = of(source, "band-2")  # two stems of one role are heard as their sum
    assert set(drums.query) == {"harmonic", "composite"}
    assert drums.query["harmonic"].waveform(RATE) == pytest.approx(
        BAND[0][2] + BAND[1][2], abs=1e-4
    )


def test_labels_coarse_and_fine(tmp_path):
    write(tmp_path, {"band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    assert [q.label for q in source.questions("coarse")] == ["guitar", "bass", "Drums", ""]
    assert [q.label for q in source.questions("fine")] == ["lead", "bass", "kit", ""]
    assert [q.query.instrument for q in source.questions("fine")] == ["lead", "bass", "kit", ""]
    with pytest.raises(ConfigError, match="labels 'fien' is not available. Did you mean 'fine'"):
        source.questions("fien")
    assert instrument_name(" / ", "coarse") == ""


def test_what_cannot_be_asked_about_is_left_out_and_said(tmp_path):
    silence = np.zeros(4 * RATE, np.float32)
    write(
        tmp_path,
        {
            "alone": [("harmonic", "piano", noise(5, 4))],
            "band": [*BAND, ("vocal", "vocals", silence)],
            "nearly": [("harmonic", "piano", noise(6, 4)), ("vocal", "vocals", silence)],
            "nothing": [("harmonic", "piano", silence), ("vocal", "vocals", silence)],
        },
    )
    source = DatabaseStems(tmp_path, split="test")
    assert {q.song for q in source.questions("coarse")} == {"band"}
    assert "vocal" not in of(source, "band-0").query
    said = " ".join(source.left_out())
    assert "4 stems are silent throughout (below -60 dB)" in said
    assert "2 clips are left out, stem and all: only one stem sounds" in said
    assert "1 clip is left out: no stem sounds" in said
    assert "1 stem is without a role" in said


def test_a_whole_database_leaves_nothing_to_say(tiny_database):
    source = DatabaseStems(tiny_database.root, split="all")
    assert source.left_out() == []
    assert len(source.questions("coarse")) == 36
    assert len(DatabaseStems(tiny_database.root, split="val").questions("coarse")) == 9


def test_other_databases_are_refused(tmp_path):
    with pytest.raises(DatabaseError, match="not a MashupDB"):
        DatabaseStems(tmp_path, split="test")
    write(tmp_path, {"band": BAND})
    with pytest.raises(ConfigError, match=r"data\.split 'tset'"):
        DatabaseStems(tmp_path, split="tset")


def test_a_chunk_is_cut_into_a_submix_and_the_rest(tmp_path):
    write(tmp_path, {"band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    chunks = source.chunks(num_draws=20, chunk_s=2.0, seed=0)
    assert len({chunk.chunk_id for chunk in chunks}) == 20
    everything = sum(np.pad(samples, (0, 8 * RATE - len(samples))) for _, _, samples in BAND)
    sizes = set()
    for chunk in chunks:
        both = sound(chunk.query) + sound(chunk.candidate)
        assert len(both) == 2 * RATE
        # Where in the clip that is, is found by its first samples.
        starts = [round(s * RATE) for s in np.arange(0, 6.001, 0.01)]
        start = next(s for s in starts if np.abs(everything[s : s + 200] - both[:200]).max() < 1e-3)
        assert both == pytest.approx(everything[start : start + 2 * RATE], abs=1e-3)
        assert np.sqrt(np.mean(sound(chunk.query) ** 2)) > 1e-3
        assert np.sqrt(np.mean(sound(chunk.candidate) ** 2)) > 1e-3
        if start <= 4 * RATE:  # the drums sound to the chunk's end
            sizes.add(round(float(np.mean(sound(chunk.query) ** 2) / (0.1**2 / 3))))
        assert chunk.query.instrument == ""
    assert sizes == {1, 2, 3}  # stems in the submix, by its power


def test_a_stem_takes_part_in_chunks_in_which_it_sounds(tmp_path):
    late = [
        ("harmonic", "piano", noise(1, 20)),
        ("vocal", "vocals", tail(2, silent_s=19, seconds=20)),
        ("percussion", "drums", tail(3, silent_s=10, seconds=20)),
    ]
    write(tmp_path, {"late": late})
    source = DatabaseStems(tmp_path, split="test")
    chunks = source.chunks(num_draws=30, chunk_s=1.0, seed=0)
    assert len(chunks) == 30
    for chunk in chunks:
        vocal = (chunk.query | chunk.candidate).get("vocal")
        assert vocal is None or np.abs(vocal.waveform(RATE)).max() > 0.01
        assert "percussion" in chunk.query | chunk.candidate
    with_vocal = sum("vocal" in chunk.query | chunk.candidate for chunk in chunks)
    assert 0 < with_vocal < 15


def test_a_song_without_two_stems_that_sound_together_gives_no_chunks(tmp_path):
    early = noise(1, 8)
    early[4 * RATE :] = 0
    apart = [("harmonic", "a", early), ("vocal", "b", tail(2, silent_s=7, seconds=8))]
    write(tmp_path, {"apart": apart, "band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    assert {q.song for q in source.questions("coarse")} == {"apart", "band"}
    assert {c.song for c in source.chunks(num_draws=3, chunk_s=1.0, seed=0)} == {"band"}


def test_a_short_clip_ends_in_silence_and_gives_each_split_once(tmp_path):
    short = [("harmonic", "a", noise(1, 1.5)), ("vocal", "b", noise(2, 1.0))]
    write(tmp_path, {"short": short})
    chunks = DatabaseStems(tmp_path, split="test").chunks(num_draws=10, chunk_s=5.0, seed=0)
    assert sorted(next(iter(chunk.query)) for chunk in chunks) == ["harmonic", "vocal"]
    wave = chunks[0].query["harmonic" if "harmonic" in chunks[0].query else "vocal"].waveform(RATE)
    assert len(wave) == 5 * RATE
    assert not wave[round(1.5 * RATE) :].any()


def test_draws_depend_on_seed_and_song_alone(tmp_path):
    def drawn(root, songs, seed=0):
        write(root, songs)
        chunks = DatabaseStems(root, split="test").chunks(num_draws=5, chunk_s=2.0, seed=seed)
        return [chunk.chunk_id for chunk in chunks if chunk.song == "band"]

    alone = drawn(tmp_path / "a", {"band": BAND})
    assert alone == drawn(tmp_path / "b", {"another": BAND[:2], "band": BAND, "later": BAND[1:]})
    assert alone != drawn(tmp_path / "c", {"band": BAND}, seed=1)


def test_who_listens_may_change_what_it_was_given(tmp_path):
    write(tmp_path, {"band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    part = of(source, "band-0").candidate["harmonic"]
    part.waveform(RATE)[:] = 0
    assert part.waveform(RATE).any()
    assert of(source, "band-1").query["harmonic"].waveform(RATE).any()


def damage(root, *stem_ids):
    """Cut off files: the head can still be read."""
    for stem_id in stem_ids:
        path = root / "audio" / f"{stem_id}.flac"
        path.write_bytes(path.read_bytes()[:2000])


def test_stems_that_cannot_be_read_are_left_out_and_said(tmp_path):
    write(tmp_path, {"band": BAND, "duo": BAND[:2], "lost": BAND[:2], "other": BAND[:3]})
    damage(tmp_path, "band-0", "duo-1", "lost-0")
    (tmp_path / "audio" / "lost-1.flac").unlink()
    source = DatabaseStems(tmp_path, split="test")
    asked = ask_about(source, labels="coarse", num_draws=2, chunk_s=1.0, seed=0)
    found = {question.stem_id for question in asked.questions}
    assert found == {"band-1", "band-2", "band-3", "other-0", "other-1", "other-2"}
    assert {chunk.song for chunk in asked.chunks} == {"band", "other"}
    expected = np.pad(BAND[2][2], (0, 2 * RATE)) + BAND[3][2]
    assert sound(of(source, "band-1").query) == pytest.approx(expected, abs=1e-4)
    unreadable, alone, nothing, _ = source.left_out()
    assert unreadable.startswith("4 stems are unreadable and left out; the first: ")
    assert "band-0.flac: " in unreadable and "\n" not in unreadable
    assert alone.startswith("1 clip is left out, stem and all: only one stem sounds")
    assert nothing == "1 clip is left out: no stem sounds."


def test_a_database_of_which_nothing_can_be_read_is_refused_with_the_reason(tmp_path):
    write(tmp_path, {"a": BAND[:2], "b": BAND[:2]})
    damage(tmp_path, "a-0", "a-1", "b-0", "b-1")
    source = DatabaseStems(tmp_path, split="test")
    with pytest.raises(DatabaseError, match=r"0 song\(s\) in the split test.*4 stems are unread"):
        ask_about(source, labels="coarse", num_draws=2, chunk_s=1.0, seed=0)


def test_decoded_stems_are_kept_up_to_a_limit(tmp_path, monkeypatch):
    decoded = []
    read = decoded_stems.FilePart.waveform
    monkeypatch.setattr(
        decoded_stems.FilePart,
        "waveform",
        lambda self, rate: decoded.append(self.path.name) or read(self, rate),
    )
    monkeypatch.setattr(decoded_stems, "_MOST_BYTES", 3 * 4 * 8 * RATE)
    write(tmp_path, {"band": BAND})
    source = DatabaseStems(tmp_path, split="test")
    questions = source.questions("coarse")
    tried = [f"band-{n}.flac" for n in range(4)]
    assert decoded == tried
    for index in (2, 3, 2, 3, 1):
        next(iter(questions[index].candidate.values())).waveform(RATE)
    assert decoded == tried
    for index in (0, 1, 2):  # the four together are over the limit; the oldest went
        next(iter(questions[index].candidate.values())).waveform(RATE)
    assert decoded == [*tried, "band-0.flac", "band-2.flac"]
