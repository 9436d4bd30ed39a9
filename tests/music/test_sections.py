import pytest

from mashnet.music.sections import Section, label_of, sections_within


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("verse", "verse"),
        ("Verse2", "verse"),
        ("prechorus", "verse"),
        ("pre-chorus 1", "verse"),
        ("chorus_instrumental", "chorus"),
        ("postchorus", "chorus"),
        ("introchorus", "chorus"),
        ("refrain", "chorus"),
        ("fadein", "intro"),
        ("transition2a", "bridge"),
        ("bigoutro", "outro"),
        ("solo", "inst"),
        ("break", "inst"),
        ("breakdown", "inst"),
        ("gtrbreak", "inst"),
        ("inst", "inst"),
        ("end", ""),
        ("start", ""),
        ("silence", ""),
        ("worstthingever", None),
        ("", None),
    ],
)
def test_names_of_annotators_have_labels(name: str, label: str | None) -> None:
    assert label_of(name) == label


def test_sections_are_cut_to_a_stretch() -> None:
    song = [Section(0, 10, "intro"), Section(10, 30, "verse"), Section(30, 50, "chorus")]
    assert sections_within(song, 0, 50) == song
    assert sections_within(song, 20, 40) == [Section(0, 10, "verse"), Section(10, 20, "chorus")]
    # A border that is off by a rounding error leaves no sliver.
    assert sections_within(song, 29.99, 50) == [Section(0.01, 20.01, "chorus")]
    assert sections_within(song, 60, 70) == []
