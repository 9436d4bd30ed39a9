import pytest

from mashnet.music.key_names import parse_key
from mashnet.music.keys import MODES, PITCH_NAMES, Key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("A minor", Key(9, "minor")),
        ("F#m", Key(6, "minor")),
        ("Bb", Key(10, "major")),
        ("c:min", Key(0, "minor")),
        ("E♭ major", Key(3, "major")),
        ("CM", Key(0, "major")),
        ("Cm", Key(0, "minor")),
        ("Cb maj", Key(11, "major")),
        ("B#", Key(0, "major")),
        (" g# Minor ", Key(8, "minor")),
        ("F sharp minor", Key(6, "minor")),
        ("Bflat", Key(10, "major")),
        ("a-moll", Key(9, "minor")),
        # DJs' wheels: Camelot, Open Key.
        ("8A", Key(9, "minor")),
        ("8B", Key(0, "major")),
        ("08a", Key(9, "minor")),
        ("9A", Key(4, "minor")),
        ("12B", Key(4, "major")),
        ("1A", Key(8, "minor")),
        ("1m", Key(9, "minor")),
        ("1d", Key(0, "major")),
        ("12d", Key(5, "major")),
    ],
)
def test_reads_the_usual_spellings(name, key):
    assert parse_key(name) == key


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", MODES)
def test_reads_what_keys_print(tonic, mode):
    assert parse_key(f"{PITCH_NAMES[tonic]} {mode}") == Key(tonic, mode)


@pytest.mark.parametrize(
    "name", ["", "H", "A dorian", "minor", "A# # major", "12", "0A", "13A", "8C", "BB"]
)
def test_refuses_what_is_no_key(name):
    with pytest.raises(ValueError, match="not a key"):
        parse_key(name)
