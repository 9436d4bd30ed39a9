"""The styles that the band plays, as data.

Drum patterns have four steps a beat: X loud, x normal, o soft, a dot for a rest. Bass patterns are
(beat, length in beats, note), the note being R root, 3 third, 5 fifth, 8 octave, or A: a semitone
or a scale step before the next root. Chord patterns are (beat, length in beats, velocity).
"""

from __future__ import annotations

from dataclasses import dataclass

Progression = tuple[str, ...]  # one numeral a bar; "a b" changes in the middle of the bar
BassPattern = tuple[tuple[float, float, str], ...]
ChordPattern = tuple[tuple[float, float, float], ...]
Form = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Style:
    """How a kind of music goes; where several options are listed, a song draws one."""

    tempo_bpm: tuple[float, float]
    beats_per_bar: int
    swing: tuple[float, float]  # share of the pair's first note: 0.5 straight, 0.667 triplets
    swing_pair_beats: float  # length of the pair of notes that swings
    major: tuple[Progression, ...]
    minor: tuple[Progression, ...]
    forms: tuple[Form, ...]  # sections and their share of the song
    kit: str
    grooves: tuple[dict[str, str], ...]
    bass: tuple[str, str]  # instrument, label
    chords: tuple[str, str]
    lead: tuple[str, str]
    bass_patterns: tuple[BassPattern, ...]
    chord_patterns: tuple[ChordPattern, ...]
    room_s: float = 0.5  # reverberation time


def _every(step: float, length: float, beats: float, start: float = 0.0) -> ChordPattern:
    count = round((beats - start) / step)
    return tuple((start + i * step, length, 0.8) for i in range(count))


STYLES: dict[str, Style] = {
    "house": Style(
        tempo_bpm=(118, 128),
        beats_per_bar=4,
        swing=(0.5, 0.53),
        swing_pair_beats=0.5,
        major=(
            ("I", "IVmaj7", "vi7", "V"),
            ("IVmaj7", "V", "I", "vi7"),
            ("I", "vi7", "IVmaj7", "V"),
        ),
        minor=(
            ("i7", "bVImaj7", "iv7", "V7"),
            ("i7", "i7", "iv7", "V7"),
            ("i7", "bVII", "bVImaj7", "V7"),
        ),
        forms=(
            (("intro", 2), ("verse", 4), ("chorus", 4), ("bridge", 2), ("chorus", 2)),
            (("intro", 2), ("verse", 4), ("chorus", 6), ("outro", 2)),
        ),
        kit="electronic",
        grooves=(
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "..x...x...x...x."},
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "o.x.o.x.o.x.o.xo"},
            {"kick": "X...X...X...X..o", "clap": "....X.......X..o", "hat": "..X...X...X...X."},
        ),
        bass=("synth_bass", "bass/synth bass"),
        chords=("organ", "keys/organ"),
        lead=("pluck_synth", "synth/lead"),
        bass_patterns=(
            ((0.5, 0.4, "R"), (1.5, 0.4, "R"), (2.5, 0.4, "R"), (3.5, 0.4, "8")),
            ((0, 0.7, "R"), (0.75, 0.6, "R"), (1.5, 0.4, "8"), (2.5, 0.4, "R"), (3.5, 0.4, "5")),
            ((0, 0.4, "R"), (0.5, 0.4, "8"), (1.5, 0.4, "8"), (2, 0.4, "R"), (3.5, 0.4, "A")),
        ),
        chord_patterns=(
            ((0, 0.6, 1), (0.75, 0.5, 0.8), (1.5, 0.8, 0.9), (2.5, 0.4, 0.7), (3.25, 0.6, 0.8)),
            ((0.5, 0.3, 0.8), (1.5, 0.3, 1), (2.5, 0.3, 0.8), (3.5, 0.3, 1)),
            ((0, 1.3, 1), (1.5, 0.9, 0.8), (3, 0.8, 0.9)),
        ),
    ),
    "boom_bap": Style(
        tempo_bpm=(82, 98),
        beats_per_bar=4,
        swing=(0.56, 0.62),
        swing_pair_beats=0.5,
        major=(
            ("Imaj7", "vi7", "ii7", "V7"),
            ("IVmaj7", "iii7", "ii7", "Imaj7"),
            ("Imaj7 ii7", "iii7 vi7", "ii7", "V9"),
        ),
        minor=(
            ("i9", "iv9", "i9", "V7"),
            ("i7", "bVImaj7", "iv7", "V7"),
            ("i9 bVII", "bVImaj7", "iim7b5 V7", "i7"),
        ),
        forms=(
            (("intro", 1), ("verse", 4), ("chorus", 4)),
            (("intro", 2), ("verse", 4), ("chorus", 2), ("outro", 1)),
        ),
        kit="vintage",
        grooves=(
            {"kick": "X.....x.x.......", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
            {"kick": "X..x......x.....", "snare": "....X..o....X...", "hat": "x.o.x.o.x.o.x.oo"},
            {"kick": "X.......x.x.....", "snare": "....X.......X..o", "hat": "x.x.x.x.x.x.x.x."},
        ),
        bass=("upright_bass", "bass/upright bass"),
        chords=("electric_piano", "keys/electric piano"),
        lead=("flute", "woodwind/flute"),
        bass_patterns=(
            ((0, 1.2, "R"), (1.5, 0.4, "R"), (2, 0.9, "5"), (3.5, 0.4, "A")),
            ((0, 0.7, "R"), (0.75, 0.6, "8"), (2, 0.9, "R"), (3, 0.9, "5")),
            ((0, 1.6, "R"), (2.5, 0.4, "3"), (3, 0.8, "5")),
        ),
        chord_patterns=(
            ((0, 1.8, 1), (2.5, 1.2, 0.7)),
            ((0, 0.9, 1), (1.5, 0.4, 0.6), (2, 1.8, 0.8)),
            ((0, 3.6, 1),),
        ),
        room_s=0.4,
    ),
    "rock": Style(
        tempo_bpm=(112, 146),
        beats_per_bar=4,
        swing=(0.5, 0.5),
        swing_pair_beats=0.5,
        major=(
            ("I", "V", "vi", "IV"),
            ("I", "bVII", "IV", "I"),
            ("I", "IV", "V", "IV"),
            ("vi", "IV", "I", "V"),
        ),
        minor=(
            ("i", "bVI", "iv", "V"),
            ("i", "bVII", "bVI", "V"),
            ("i", "iv", "bVII", "i"),
        ),
        forms=(
            (("intro", 2), ("verse", 4), ("chorus", 4), ("bridge", 4), ("chorus", 2)),
            (("intro", 2), ("verse", 4), ("chorus", 6), ("outro", 2)),
        ),
        kit="rock",
        grooves=(
            {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "X.x.X.x.X.x.X.x."},
            {"kick": "X.x.....x.X.....", "snare": "....X.......X...", "hat": "X.x.X.x.X.x.X.x."},
            {"kick": "X.....x.X.......", "snare": "....X.......X..o", "ride": "X.o.X.o.X.o.X.o."},
        ),
        bass=("picked_bass", "bass/electric bass"),
        chords=("distorted_guitar", "guitar/distorted electric guitar"),
        lead=("lead_guitar", "guitar/lead electric guitar"),
        bass_patterns=(
            tuple((0.5 * i, 0.45, "R") for i in range(8)),
            (*((0.5 * i, 0.45, "R") for i in range(6)), (3, 0.45, "5"), (3.5, 0.45, "A")),
            ((0, 0.9, "R"), (1, 0.45, "R"), (1.5, 0.45, "R"), (2, 0.9, "R"), (3, 0.9, "5")),
        ),
        chord_patterns=(
            _every(0.5, 0.42, 4),
            ((0, 1.4, 1), (1.5, 0.4, 0.8), (2, 1.8, 1)),
            ((0, 0.9, 1), (1, 0.4, 0.7), (1.5, 0.9, 0.9), (2.5, 0.4, 0.7), (3, 0.8, 1)),
        ),
    ),
    "reggae": Style(
        tempo_bpm=(76, 92),
        beats_per_bar=4,
        swing=(0.53, 0.6),
        swing_pair_beats=0.5,
        major=(("I", "IV", "I", "V"), ("I", "ii", "IV", "I"), ("I", "vi", "ii", "V")),
        minor=(("i", "iv", "i", "v"), ("i", "bVII", "bVI", "V"), ("i", "iv", "v", "i")),
        forms=(
            (("intro", 1), ("verse", 4), ("chorus", 4)),
            (("intro", 1), ("chorus", 4), ("bridge", 2), ("chorus", 2)),
        ),
        kit="rock",
        grooves=(
            {"kick": "x...X...x...X...", "rim": "....x.......x..o", "hat": "x.o.x.o.x.o.x.o."},
            {"kick": "X...x...X...x...", "snare": "........X.......", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X.......X.......", "rim": "....X.......X...", "hat": "x.o.x.o.x.o.x.oo"},
        ),
        bass=("sub_bass", "bass/electric bass"),
        chords=("clean_guitar", "guitar/clean electric guitar"),
        lead=("brass", "brass/trombone"),
        bass_patterns=(
            ((0, 0.9, "R"), (1, 0.4, "R"), (1.5, 0.9, "3"), (2.5, 0.4, "5"), (3, 0.7, "5")),
            ((0, 0.4, "R"), (0.5, 0.4, "R"), (1, 0.9, "5"), (2.5, 0.4, "8"), (3, 0.8, "5")),
            ((0, 1.3, "R"), (1.5, 0.4, "5"), (2, 0.9, "R"), (3.5, 0.4, "A")),
        ),
        chord_patterns=(
            ((0.5, 0.2, 0.8), (1.5, 0.2, 1), (2.5, 0.2, 0.8), (3.5, 0.2, 1)),
            ((1, 0.25, 1), (1.5, 0.2, 0.6), (3, 0.25, 1), (3.5, 0.2, 0.6)),
        ),
        room_s=0.7,
    ),
    "bossa": Style(
        tempo_bpm=(112, 138),
        beats_per_bar=4,
        swing=(0.5, 0.52),
        swing_pair_beats=0.5,
        major=(
            ("Imaj7", "Imaj7", "ii7", "V7"),
            ("Imaj7", "vi7", "ii7", "V9"),
            ("IVmaj7", "V7", "iii7", "vi7"),
        ),
        minor=(
            ("i7", "i7", "iv7", "V7"),
            ("i7", "iim7b5", "V7", "i7"),
            ("i7", "bVImaj7", "iim7b5", "V7"),
        ),
        forms=(
            (("intro", 2), ("verse", 6), ("chorus", 4), ("outro", 2)),
            (("verse", 4), ("bridge", 4), ("verse", 4), ("outro", 2)),
        ),
        kit="latin",
        grooves=(
            {"kick": "x.....xox.....xo", "rim": "x.....x.....x...", "shaker": "x.o.x.o.x.o.x.o."},
            {"kick": "x.....x.x.....x.", "rim": "x..x...x..x.x...", "shaker": "x.x.xoo.x.x.xoo."},
            {"kick": "X.....x.X.....x.", "rim": "....x.....x.....", "shaker": "X.o.x.o.X.o.x.o."},
        ),
        bass=("upright_bass", "bass/upright bass"),
        chords=("nylon_guitar", "guitar/classical guitar"),
        lead=("flute", "woodwind/flute"),
        bass_patterns=(
            ((0, 1.4, "R"), (1.5, 0.4, "5"), (2, 1.4, "5"), (3.5, 0.4, "R")),
            ((0, 1.4, "R"), (1.5, 0.4, "R"), (2, 1.4, "5"), (3.5, 0.4, "A")),
        ),
        chord_patterns=(
            ((0, 0.9, 1), (1.5, 0.9, 0.8), (3, 0.4, 0.9), (3.5, 0.4, 0.7)),
            ((0, 0.7, 1), (1, 0.4, 0.7), (1.5, 0.9, 0.9), (2.5, 0.7, 0.8), (3.5, 0.4, 0.8)),
        ),
    ),
    "synth_ballad": Style(
        tempo_bpm=(70, 84),
        beats_per_bar=4,
        swing=(0.5, 0.5),
        swing_pair_beats=0.5,
        major=(
            ("I", "V", "vi", "IV"),
            ("I", "iii", "IVadd9", "V"),
            ("IV", "I", "V", "vi"),
            ("Iadd9", "vi7", "IVmaj7", "Vsus4 V"),
        ),
        minor=(
            ("i", "bVI", "iv", "V"),
            ("i", "iv", "bVI", "V"),
            ("i", "v", "bVI", "iv"),
        ),
        forms=(
            (("intro", 1), ("verse", 4), ("chorus", 4)),
            (("verse", 4), ("bridge", 1), ("chorus", 4)),
        ),
        kit="electronic",
        grooves=(
            {"kick": "X...x...X...x...", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
            {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
            {"kick": "X.....x.X.......", "clap": "....X.......X...", "hat": "x...x...x...x.o."},
        ),
        bass=("sub_bass", "bass/synth bass"),
        chords=("pad", "synth/pad"),
        lead=("bell", "synth/bell"),
        bass_patterns=(
            ((0, 1.9, "R"), (2, 0.9, "R"), (3, 0.8, "5")),
            tuple((0.5 * i, 0.45, "R") for i in range(8)),
            ((0, 0.9, "R"), (1, 0.9, "R"), (2, 0.9, "8"), (3, 0.9, "R")),
        ),
        chord_patterns=(((0, 3.9, 1),), ((0, 1.9, 1), (2, 1.9, 0.9))),
        room_s=0.9,
    ),
    "drum_and_bass": Style(
        tempo_bpm=(148, 160),
        beats_per_bar=4,
        swing=(0.5, 0.52),
        swing_pair_beats=0.5,
        major=(("I", "IVmaj7", "vi7", "V"), ("IVmaj7", "I", "ii7", "V"), ("I", "V", "ii7", "IV")),
        minor=(
            ("i", "bVImaj7", "iv7", "V7"),
            ("i9", "i9", "bVImaj7", "V7"),
            ("i", "iv7", "bVImaj7", "V"),
        ),
        forms=(
            (("intro", 4), ("verse", 6), ("chorus", 8), ("outro", 2)),
            (("intro", 2), ("verse", 6), ("bridge", 2), ("chorus", 8)),
        ),
        kit="breakbeat",
        grooves=(
            {"kick": "X.......X.x.....", "snare": "....X..o....X...", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X.x.......X.....", "snare": "....X..o.o..X..o", "ride": "x...x...x...x..."},
            {"kick": "X.......x.X.....", "snare": "....X.......X.o.", "hat": "X.o.X.o.X.o.X.o."},
        ),
        bass=("reese_bass", "bass/synth bass"),
        chords=("pad", "synth/pad"),
        lead=("pluck_synth", "synth/arpeggio"),
        bass_patterns=(
            ((0, 1.4, "R"), (1.5, 0.9, "R"), (2.5, 1.3, "5")),
            ((0, 0.9, "R"), (1.5, 0.4, "8"), (2, 1.4, "R"), (3.5, 0.4, "A")),
        ),
        chord_patterns=(((0, 3.9, 1),), ((0, 1.4, 1), (1.5, 2.3, 0.9))),
        room_s=0.8,
    ),
    "jazz_waltz": Style(
        tempo_bpm=(108, 144),
        beats_per_bar=3,
        swing=(0.6, 0.66),
        swing_pair_beats=1.0,
        major=(
            ("Imaj7", "vi7", "ii7", "V7"),
            ("Imaj7", "IVmaj7", "iii7", "vi7", "ii7", "V7", "Imaj7", "V9"),
            ("ii7", "V7", "Imaj7", "vi7"),
        ),
        minor=(
            ("i7", "iv7", "iim7b5", "V7"),
            ("i7", "bVImaj7", "iim7b5", "V7"),
            ("i6", "iv7", "bVII", "bIII", "bVImaj7", "iim7b5", "V7", "i6"),
        ),
        forms=(
            (("intro", 4), ("verse", 8), ("bridge", 4), ("chorus", 4)),
            (("verse", 8), ("chorus", 8), ("outro", 4)),
        ),
        kit="jazz",
        grooves=(
            {
                "kick": "X...........",
                "ride": "X...x.o.x...",
                "pedal_hat": "....x...x...",
                "rim": "......o.....",
            },
            {
                "kick": "X.......o...",
                "ride": "X...x.o.x.o.",
                "snare": "....o...x...",
                "pedal_hat": "....X.......",
            },
        ),
        bass=("upright_bass", "bass/upright bass"),
        chords=("piano", "keys/piano"),
        lead=("vibraphone", "percussion/vibraphone"),
        bass_patterns=(
            ((0, 0.9, "R"), (1, 0.9, "5"), (2, 0.9, "A")),
            ((0, 0.9, "R"), (1, 0.9, "3"), (2, 0.9, "5")),
            ((0, 1.9, "R"), (2, 0.9, "5")),
        ),
        chord_patterns=(
            ((0, 0.8, 0.9), (1.5, 0.4, 0.8), (2, 0.6, 0.7)),
            ((0, 1.3, 1), (1.5, 1.2, 0.8)),
            ((0, 0.4, 0.8), (1, 0.5, 1), (2, 0.5, 0.9)),
        ),
        room_s=0.6,
    ),
}
