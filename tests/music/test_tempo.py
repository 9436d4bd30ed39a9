import pytest

from mashnet.music.tempo import tempo_agreement


@pytest.mark.parametrize(
    ("estimated", "expected"),
    [
        (120.0, "exact"),
        (124.7, "exact"),
        (125.0, None),
        (115.3, "exact"),
        (60.0, "octave"),
        (240.0, "octave"),
        (180.0, "metrical"),
        (80.0, "metrical"),
        (90.0, "metrical"),
        (160.0, "metrical"),
        (360.0, "metrical"),
        (30.0, "metrical"),
        (100.0, None),
        (0.0, None),
    ],
)
def test_names_the_level_an_estimate_is_at(estimated, expected):
    assert tempo_agreement(estimated, 120.0) == expected


def test_needs_a_true_tempo():
    with pytest.raises(ValueError, match="true tempo of 0"):
        tempo_agreement(120.0, 0.0)
