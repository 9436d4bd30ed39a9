"""Beats read from frozen encoders, fold by fold."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import mir_eval
import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from mashnet.audio.io import write_flac
from mashnet.commands.hydra_program import compose
from mashnet.data.parts import ArrayPart, FilePart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError, DatabaseError
from mashnet.evaluation.protocols.beat_probe import folds as beat_folds
from mashnet.evaluation.protocols.beat_probe import protocol as beat_probe
from mashnet.evaluation.protocols.beat_probe.folds import beat_metrics, folds_of
from mashnet.evaluation.protocols.beat_probe.probing import LinearProbes
from mashnet.evaluation.protocols.beat_probe.protocol import run
from mashnet.evaluation.results import write_outcome
from mashnet.evaluation.run import evaluate
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.clips import BeatClip, DatabaseClips
from mashnet.models.loading import build_scorer

RATE = 16_000
FAST = Bootstrap(num_resamples=50)
LENGTH_S = 20.0


class Energy:
    """Tokens that hold the level of each 20 ms: a click cannot be missed."""

    token_s = 0.16

    def tokens(self, waves):
        frames = waves.unflatten(1, (-1, RATE // 50)).square().mean(-1)
        return frames.unflatten(1, (-1, 8))


class Noise:
    """Tokens that have nothing to do with the sound."""

    token_s = 0.16

    def tokens(self, waves):
        seed = int(waves.abs().sum() * 1000) % 2**31
        random = torch.Generator().manual_seed(seed)
        return torch.randn(len(waves), waves.shape[1] // 2560, 8, generator=random)


def scorer_of(network, name: str):
    frontend = StemFrontend(sample_rate=RATE, window_s=8.0)
    return SimpleNamespace(name=name, network=network, frontend=frontend, device="cpu")


class Clips:
    """Songs with a click on each beat, each at its own tempo."""

    name, split = "made/up", "test"

    def __init__(self, num_songs: int = 6, *, per_song: int = 1) -> None:
        self.num_songs, self.per_song = num_songs, per_song

    def clips(self) -> list[BeatClip]:
        return [
            clicks(song, number)
            for song in range(self.num_songs)
            for number in range(self.per_song)
        ]


def clicks(song: int, number: int) -> BeatClip:
    random = np.random.default_rng([song, number])
    beats = np.arange(random.uniform(0.1, 0.4), LENGTH_S - 0.1, 60 / random.uniform(80, 160))
    wave = np.zeros(round(LENGTH_S * RATE), np.float32)
    for beat in beats:
        wave[round(beat * RATE) :][:200] = 0.5 * random.standard_normal(200)
    return BeatClip(
        clip_id=f"clip-{song}-{number}",
        song=f"song-{song}",
        mix=ArrayPart(wave, RATE),
        beats=tuple(beats.tolist()),
        duration_s=LENGTH_S,
        is_exact=song % 2 == 0,
    )


@pytest.fixture(scope="module")
def outcome():
    scorers = [scorer_of(Energy(), "energy"), scorer_of(Noise(), "noise")]
    rule = SimpleNamespace(name="keytempo")
    return run([*scorers, rule], Clips(), bootstrap=FAST, num_folds=3)


def values(outcome, which: int) -> dict[str, float]:
    return {name: e.value for name, e in outcome.results[which].metrics.items()}


def test_tokens_that_hold_the_beat_are_read(outcome) -> None:
    found = values(outcome, 0)
    assert found["beat_f1"] > 0.97
    assert found["cmlt"] > 0.9
    assert found["amlt"] > 0.97


def test_tokens_that_do_not_are_not(outcome) -> None:
    found = values(outcome, 1)
    assert found["beat_f1"] < 0.6
    assert found["amlt"] < 0.6
    assert outcome.metrics["beat_f1"].chance < 0.6


def test_baselines_stand_beside(outcome) -> None:
    assert [r.scorer for r in outcome.results] == ["energy", "noise", "log_mel", "onset"]
    assert values(outcome, 2)["beat_f1"] > 0.9
    assert values(outcome, 3)["beat_f1"] > 0.9
    assert {(c.first, c.second) for c in outcome.comparisons} == {
        ("energy", other) for other in ("noise", "log_mel", "onset")
    }
    compared = {(c.second, c.metric): c for c in outcome.comparisons}
    assert compared["noise", "beat_f1"].told_apart
    difference = compared["noise", "amlt"].difference.value
    assert difference == pytest.approx(values(outcome, 0)["amlt"] - values(outcome, 1)["amlt"])


def test_the_result_says_what_it_rests_on(outcome, tmp_path) -> None:
    assert "Rules have no encoder: keytempo left out." in outcome.notes
    assert any("Beats of 3 clips came with the music, those of 3" in note for note in outcome.notes)
    assert outcome.results[0].facts == {"folds": 3, "probes_per_token": 8}
    assert outcome.results[0].metrics["amlt"].n == 6
    assert outcome.scores.columns[:4] == ["scorer", "clip_id", "song_id", "fold"]
    mean = outcome.scores.filter(scorer="noise")["cmlt"].mean()
    assert mean == pytest.approx(values(outcome, 1)["cmlt"])
    written = {path.name for path in write_outcome(outcome, tmp_path)}
    assert {"metrics.json", "beats.png", "activations.png"} <= written


def test_the_same_again(outcome) -> None:
    again = run([scorer_of(Noise(), "noise")], Clips(), bootstrap=FAST, num_folds=3)
    assert values(again, 0) == values(outcome, 1)


def test_no_song_is_trained_on_and_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[tuple[set, set]] = []
    fit = LinearProbes.fit.__func__

    def watched(cls, training, validation, *, seed):
        names = [{float(clip.tokens.sum()) for clip, _ in part} for part in (training, validation)]
        fitted.append((names[0], names[1]))
        return fit(cls, training, validation, seed=seed)

    monkeypatch.setattr(LinearProbes, "fit", classmethod(watched))
    monkeypatch.setattr(beat_probe, "LogMelTokens", Energy)
    monkeypatch.setattr(beat_probe, "OnsetTokens", Energy)
    monkeypatch.setattr(beat_probe, "DeafTokens", Energy)
    source = Clips(5, per_song=2)
    clips = source.clips()
    frontend = StemFrontend(sample_rate=RATE, window_s=8.0)
    song_of = {
        float(beat_folds.encode(Energy(), frontend, c.mix, duration_s=20).tokens.sum()): c.song
        for c in clips
    }
    assert len(song_of) == 10
    run([scorer_of(Energy(), "x")], source, bootstrap=FAST, num_folds=5)
    folds = folds_of([clip.song for clip in clips], 5, seed=0)
    assert len(fitted) == 4 * 5
    for number, (training, stopping) in enumerate(fitted):
        trained = {song_of[token_sum] for token_sum in training}
        stopped = {song_of[token_sum] for token_sum in stopping}
        tested = {c.song for c, fold in zip(clips, folds, strict=True) if fold == number % 5}
        assert trained and stopped and tested
        assert not trained & stopped
        assert not tested & (trained | stopped)
        assert trained | stopped | tested == {c.song for c in clips}


def test_folds_are_of_like_size_and_by_song() -> None:
    songs = [f"song {number // 3}" for number in range(60)]
    folds = folds_of(songs, 8, seed=0)
    assert all(len(set(folds[i : i + 3])) == 1 for i in range(0, 60, 3))
    counts = np.bincount(folds) // 3
    assert sorted(counts) == [2, 2, 2, 2, 3, 3, 3, 3]
    assert (folds == folds_of(songs, 8, seed=0)).all()
    assert (folds != folds_of(songs, 8, seed=1)).any()
    assert folds_of(["a", "b", "c"], 8, seed=0).max() == 2
    with pytest.raises(ConfigError, match="num_folds=1"):
        folds_of(songs, 1, seed=0)


def test_metrics_are_mir_evals() -> None:
    beats = np.arange(0.3, 30, 0.5)
    assert beat_metrics(beats, beats) == {"beat_f1": 1, "cmlt": 1, "amlt": 1}
    twice = beat_metrics(beats, np.arange(0.3, 30, 0.25))
    assert twice["amlt"] > 0.98
    assert twice["cmlt"] == 0
    # Wrong before 5 s does not count; nothing found is no crash.
    late = np.concatenate([[1.0, 1.1, 4.0], beats[beats >= 5]])
    assert beat_metrics(beats, late)["beat_f1"] == 1
    assert set(beat_metrics(beats, []).values()) == {0.0}
    assert set(beat_metrics(beats, [7.0]).values()) == {0.0}
    drifting = beats + np.linspace(0, 0.3, len(beats))
    true, heard = mir_eval.beat.trim_beats(beats), mir_eval.beat.trim_beats(drifting)
    found = beat_metrics(beats, drifting)
    assert found["beat_f1"] == mir_eval.beat.f_measure(true, heard)
    assert (found["cmlt"], found["amlt"]) == mir_eval.beat.continuity(true, heard)[1::2]


def test_the_encoder_inside_a_network_is_found() -> None:
    inside = SimpleNamespace(encoder=Energy())
    found = run([scorer_of(inside, "x")], Clips(3), bootstrap=FAST, num_folds=3)
    assert values(found, 0)["beat_f1"] > 0.9


def test_a_network_without_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x \(Linear\) has no tokens over time"):
        run([scorer_of(torch.nn.Linear(2, 2), "x")], Clips(), bootstrap=FAST)
    with pytest.raises(ConfigError, match="keytempo, random has no encoder: protocol=beat_probe"):
        names = ("keytempo", "random")
        run([SimpleNamespace(name=name) for name in names], Clips(), bootstrap=FAST)


def test_clips_without_beats_or_sound_are_left_out(tmp_path) -> None:
    class Mixed(Clips):
        def clips(self):
            whole = super().clips()
            beatless = BeatClip("b", "song-b", whole[0].mix, whole[0].beats[:9], LENGTH_S, False)
            lost = FilePart(tmp_path / "lost.flac")
            gone = BeatClip("g", "song-g", lost, whole[0].beats, LENGTH_S, False)
            return [beatless, gone, *whole]

    found = run([scorer_of(Energy(), "x")], Mixed(3), bootstrap=FAST, num_folds=3)
    assert found.results[0].metrics["amlt"].n == 3
    assert any(note.startswith("1 clip(s) with fewer than 8 beats") for note in found.notes)
    assert any("1 clip(s) cannot be read; the first: " in note for note in found.notes)
    with pytest.raises(DatabaseError, match=r"2 song\(s\) in the split test have 8 beats"):
        run([scorer_of(Energy(), "x")], Mixed(2), bootstrap=FAST)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run of an untrained contrastive network."""
    torch.manual_seed(0)
    sizes, frontend = {"width": 64, "depth": 1}, {"sample_rate": RATE, "window_s": 8.0}
    model = {"network": "contrastive", "sizes": sizes, "frontend": frontend}
    state = build_scorer(model, name="x").network.state_dict()
    folder = tmp_path / "a run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"name": "small", "model": model}))
    weights = {f"network.{key}": value for key, value in state.items()}
    torch.save({"state_dict": weights}, folder / "checkpoints" / "last.ckpt")
    return folder


def test_by_evaluate(tiny_database, run_folder, capsys) -> None:
    overrides = [
        f"checkpoint='{run_folder}'",
        "protocol=beat_probe",
        "protocol.num_folds=3",
        f"data.root={tiny_database.root}",
        "data.split=all",
        "bootstrap.num_resamples=20",
    ]
    settings = OmegaConf.to_container(compose("evaluate", overrides), resolve=True)
    folder = evaluate(settings, command="python evaluate.py …")
    assert folder == run_folder / "evaluation" / "beat_probe"
    results = json.loads((folder / "metrics.json").read_text())
    assert [result["scorer"] for result in results] == ["small", "log_mel", "onset"]
    for result in results:
        assert result["protocol"] == "beat_probe"
        assert set(result["metrics"]) == {"beat_f1", "cmlt", "amlt"}
        assert all(
            0 <= m["low"] <= m["value"] <= m["high"] <= 1 for m in result["metrics"].values()
        )
    assert results[2]["metrics"]["beat_f1"]["value"] > 0.7  # noise bursts on every beat
    assert (folder / "report.html").is_file()
    assert "(chance)" in capsys.readouterr().out


def test_a_network_that_judges_mixes_is_refused(tiny_database) -> None:
    bundle = Path(__file__).resolve().parents[4] / "checkpoints" / "premixnet"
    overrides = [f"checkpoint={bundle}", "protocol=beat_probe", f"data.root={tiny_database.root}"]
    settings = OmegaConf.to_container(compose("evaluate", overrides), resolve=True)
    with pytest.raises(ConfigError, match="judges mixes, protocol=beat_probe asks about clips"):
        evaluate(settings, command="")


def test_the_clips_of_a_database(tiny_database) -> None:
    clips = DatabaseClips(tiny_database.root, split="test").clips()
    assert len(clips) == 3
    assert {clip.song for clip in clips} == set(
        tiny_database.clips.filter(split="test")["song_id"].to_list()
    )
    assert all(clip.is_exact and len(clip.beats) > 15 for clip in clips)
    stems = tiny_database.stems.filter(clip_id=clips[0].clip_id)["stem_id"]
    expected = sum(FilePart(tiny_database.audio_path(s)).waveform(8000) for s in stems)
    assert clips[0].mix.waveform(8000) == pytest.approx(expected, abs=1e-6)
    assert len(DatabaseClips(tiny_database.root, split="all").clips()) == 12
    with pytest.raises(ConfigError, match=r"data\.split 'tset'"):
        DatabaseClips(tiny_database.root, split="tset")
    write_flac(tiny_database.root / "x.flac", np.zeros((1, 10), "f4"), 8000)
    tiny_database.write_table("stems", tiny_database.stems.filter(clip_id=clips[0].clip_id))
    assert len(DatabaseClips(tiny_database.root, split="all").clips()) == 1
