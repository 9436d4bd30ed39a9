from collections import Counter

import numpy as np
import pytest

from data_pipelines.synth.arrangement import arrange
from data_pipelines.synth.harmony import chord, nearest_pitch, scale_under, voicing
from data_pipelines.synth.plan import plan_song
from data_pipelines.synth.song import ROLES, Song, synthesise_song
from data_pipelines.synth.styles import STYLES
from data_pipelines.synth.tones import SAMPLE_RATE, plucked_string
from mashnet.music.keys import MODES, Key

NUM_SONGS = 64
HOP = SAMPLE_RATE // 100  # 10 ms
PLANS = [plan_song(0, index) for index in range(NUM_SONGS)]
# One song of each style.
INDICES = tuple(
    {plan.style_name: index for index, plan in reversed(list(enumerate(PLANS)))}.values()
)


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return [synthesise_song(0, index) for index in INDICES]


@pytest.mark.parametrize(
    ("numeral", "key", "pitch_classes"),
    [
        ("I", Key(0, "major"), (0, 4, 7)),
        ("V7", Key(0, "major"), (7, 11, 2, 5)),
        ("bVImaj7", Key(9, "minor"), (5, 9, 0, 4)),
        ("iim7b5", Key(9, "minor"), (11, 2, 5, 9)),
        ("i5", Key(4, "minor"), (4, 11)),
    ],
)
def test_numerals_become_chords(numeral: str, key: Key, pitch_classes: tuple[int, ...]) -> None:
    assert chord(numeral, key).pitch_classes == pitch_classes


def test_every_chord_of_every_style_exists_in_every_key() -> None:
    for style in STYLES.values():
        for mode, pool in (("major", style.major), ("minor", style.minor)):
            for bar in (bar for progression in pool for bar in progression):
                for numeral in bar.split():
                    for tonic in range(12):
                        chord(numeral, Key(tonic, mode))
    with pytest.raises(ValueError, match="not a chord"):
        chord("IIII", Key(0, "major"))


def test_the_leading_note_replaces_its_neighbours_over_a_minor_dominant() -> None:
    key = Key(9, "minor")
    scale = scale_under(chord("V", key), key)
    assert 8 in scale
    assert 7 not in scale
    assert nearest_pitch(67.0, scale) == 68


def test_voices_move_little_between_chords() -> None:
    key = Key(0, "major")
    previous = None
    for numeral in ("I", "vi7", "ii7", "V7", "I"):
        current = voicing(chord(numeral, key), previous, 60)
        assert {p % 12 for p in current} == set(chord(numeral, key).pitch_classes)
        if previous:
            assert all(min(abs(p - q) for q in previous) <= 4 for p in current)
        previous = current


def test_songs_differ_on_purpose() -> None:
    assert {plan.key for plan in PLANS} == {Key(t, m) for t in range(12) for m in MODES}
    styles = Counter(plan.style_name for plan in PLANS)
    assert len(styles) >= 6
    assert min(styles.values()) == max(styles.values())
    tempi = [plan.tempo_bpm for plan in PLANS]
    assert 70 <= min(tempi) < 80
    assert 150 < max(tempi) <= 160
    assert {plan.style.beats_per_bar for plan in PLANS} == {3, 4}
    assert sum(plan.lead_in_s > 0 for plan in PLANS) >= 20
    assert sum(plan.pickup_beats > 0 for plan in PLANS) >= 10


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.style_name)
def test_a_plan_is_consistent(plan) -> None:
    meter = plan.style.beats_per_bar
    assert plan.sections[0].start_bar == 0
    for section, following in zip(plan.sections, plan.sections[1:], strict=False):
        assert section.end_bar == following.start_bar
    assert (plan.num_bars - 1) * meter < plan.num_beats <= plan.num_bars * meter
    assert plan.chords[0].start_beats == 0
    assert plan.chords[-1].end_beats == plan.num_beats
    assert plan.chords[-1].chord.root == plan.key.tonic
    beats, downbeats = plan.beats_s(), plan.downbeats_s()
    assert np.allclose(np.diff(beats), 60 / plan.tempo_bpm, atol=1e-5)
    assert beats[0] >= 0
    assert downbeats[0] == pytest.approx(plan.lead_in_s)
    assert np.allclose(np.diff(downbeats), meter * 60 / plan.tempo_bpm, atol=1e-5)
    # Swing moves what is off the beat, never a beat.
    assert plan.seconds(5) == pytest.approx(plan.lead_in_s + 5 * 60 / plan.tempo_bpm)
    late = plan.seconds(plan.style.swing_pair_beats / 2) - plan.seconds(0)
    assert late == pytest.approx(plan.swing * plan.style.swing_pair_beats * 60 / plan.tempo_bpm)


@pytest.mark.parametrize("index", INDICES)
def test_melodies_are_singable_and_belong_to_the_chords(index: int) -> None:
    plan = PLANS[index]
    score = arrange(plan, np.random.default_rng(index), vocal_centre=60)
    for note, following in zip(score.vocals, score.vocals[1:], strict=False):
        assert note.start_beats + note.length_beats <= following.start_beats + 1e-9
    pitches = [note.pitch for note in score.vocals]
    assert max(pitches) - min(pitches) <= 24
    assert len(set(pitches)) >= 4
    for part in (score.vocals, score.lead, score.bass):
        for note in part:
            scale = scale_under(plan.chord_at(note.start_beats), plan.key)
            assert note.pitch % 12 in scale
    assert max(note.start_beats for note in score.chords) < plan.num_beats


def test_a_plucked_string_is_in_tune() -> None:
    tone = plucked_string(
        196.0, SAMPLE_RATE, np.random.default_rng(0), damping=0.999, brightness_hz=2000
    )
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(tone.size), 8 * tone.size))
    peak_hz = spectrum[: 8 * 300].argmax() / 8
    assert abs(1200 * np.log2(peak_hz / 196.0)) < 5


def test_levels_are_those_of_a_mix(songs: list[Song]) -> None:
    for song in songs:
        assert set(song.stems) == set(ROLES)
        mix = song.mix
        assert 0.5 < np.abs(mix).max() < 1
        assert 25.5 <= song.duration_s <= 32
        for name, audio in song.stems.items():
            assert np.isfinite(audio).all(), name
            assert audio.size == mix.size
            assert abs(audio.mean()) < 1e-3, name
            # What is written is what is here: whole steps of 16 bits.
            assert np.abs(audio * 32767 - np.round(audio * 32767)).max() < 0.01
            sounding = audio[np.abs(audio) > 1e-3]
            level_db = 20 * np.log10(np.sqrt(np.mean(sounding**2)))
            assert -36 < level_db < -12, (song.title, name)
            # A click is a jump that the sound around it does not explain.
            assert name == "drums" or np.abs(np.diff(audio)).max() < 0.25, (song.title, name)
        assert (song.stems["vocals"] == 0).mean() > 0.1


def test_the_truth_about_beats_is_heard_in_the_drums(songs: list[Song]) -> None:
    for song in songs:
        drums = song.stems["drums"]
        level = np.sqrt((drums[: drums.size // HOP * HOP].reshape(-1, HOP) ** 2).mean(axis=1))
        rise = np.maximum(np.diff(level, prepend=0), 0)
        beat_s = 60 / song.tempo_bpm

        def strength(offset_s: float, rise: np.ndarray = rise, song: Song = song) -> float:
            frames = np.round((np.array(song.beats) + offset_s) * SAMPLE_RATE / HOP).astype(int)
            frames = frames[(frames >= 1) & (frames < rise.size - 1)]
            return float(np.mean(np.maximum.reduce([rise[frames + k] for k in (-1, 0, 1)])))

        elsewhere = [strength(share * beat_s) for share in (0.1, 0.2, 0.35, 0.4, 0.85)]
        assert strength(0.0) > 2 * max(elsewhere), (song.title, strength(0.0), elsewhere)


def test_the_truth_about_chords_is_heard_in_the_chords(songs: list[Song]) -> None:
    """The loudest pitch class belongs to the chord."""
    for song in songs:
        audio = song.stems["chords"]
        inside = 0
        for span in song.chords:
            part = audio[round(span.start_s * SAMPLE_RATE) : round(span.end_s * SAMPLE_RATE)]
            spectrum = np.abs(np.fft.rfft(part * np.hanning(part.size))) ** 2
            bins_hz = np.fft.rfftfreq(part.size, 1 / SAMPLE_RATE)
            use = (bins_hz > 100) & (bins_hz < 700)
            classes = np.round(69 + 12 * np.log2(bins_hz[use] / 440)).astype(int) % 12
            profile = np.bincount(classes, spectrum[use], minlength=12)
            inside += int(profile.argmax()) in span.pitch_classes
        assert inside >= 0.9 * len(song.chords), (song.title, inside, len(song.chords))


def test_a_song_depends_on_seed_and_index_only() -> None:
    first = synthesise_song(3, 5)
    synthesise_song(3, 4)
    again = synthesise_song(3, 5)
    for name, audio in first.stems.items():
        assert np.array_equal(audio, again.stems[name])
