import pytest

from data_pipelines.sources.name_hints import agreed, hints_of_name


@pytest.mark.parametrize(
    ("name", "tempo_bpm", "key"),
    [
        ("my song-vocals-Bmin-120bpm-440hz", 120.0, "Bmin"),
        ("Loop_120 BPM_F#m", 120.0, "F#m"),
        ("Loop_120BPM_F#_minor", 120.0, "F# minor"),
        ("My Song - Am - 120", 120.0, "Am"),
        ("8A - 124 - Artist - Title", 124.0, "8A"),
        ("Artist - Title - 8A", None, "8A"),
        ("Title (8A)", None, "8A"),
        ("Title [F# minor] [98 BPM]", 98.0, "F# minor"),
        ("124.5bpm Title", 124.5, None),
        ("bpm 93 drums", 93.0, None),
        ("beat_95bpm_Gmaj", 95.0, "Gmaj"),
        # What only looks like one.
        ("Who I Am", None, None),
        ("I Am-vocals", None, None),
        ("Am - bass", None, None),
        ("Gtr 1A", None, None),
        ("Gtr-1A", None, None),
        ("8A", None, None),
        ("M83 - 120 Minutes", None, None),
        ("A - 440hz", None, None),
        ("9999bpm", None, None),
        ("90bpm to 120bpm", None, None),
    ],
)
def test_tempo_and_key_in_names(name, tempo_bpm, key):
    found = hints_of_name(name)
    assert (found.tempo_bpm, found.key) == (tempo_bpm, key)


def test_a_key_that_not_all_files_have_is_no_songs():
    one, other = hints_of_name("kick - 1A"), hints_of_name("snare - 120bpm")
    assert one.key == "1A"
    assert (agreed([one, other]).key, agreed([one, other]).tempo_bpm) == (None, 120.0)
    assert agreed([one, one]).key == "1A"
    assert agreed([]).key is None
