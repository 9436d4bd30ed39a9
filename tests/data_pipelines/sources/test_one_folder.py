from pathlib import Path

import pytest
from omegaconf import OmegaConf

from data_pipelines.sources.one_folder import shelf_of
from data_pipelines.sources.vocabulary import vocabulary_of
from mashnet.commands.hydra_program import CONFIGS

ROLES = OmegaConf.to_container(OmegaConf.load(CONFIGS / "pipeline" / "source" / "stems.yaml").roles)


def shelf(names, *, lengths=None, alone=False):
    def length_s(path):
        return (lengths or {}).get(path.stem, 12.0)

    return shelf_of([Path(f"{n}.wav") for n in names], vocabulary_of(ROLES), length_s, alone=alone)


def songs(names, **kwargs):
    return {s.title: [p.stem for p in s.files] for s in shelf(names, **kwargs).songs}


def each(titles, stems, pattern):
    return [pattern.format(title=title, stem=stem) for title in titles for stem in stems]


@pytest.mark.parametrize(
    "pattern",
    [
        "1_{title}_({stem})",
        "1_{title}_({stem})_UVR-MDX-NET-Inst_HQ_3",
        "{title}-{stem}",
        "{title} - {stem}",
        "Artist - {title} - {stem}",
        "Artist_-_{title}_-_{stem}",
        "{title} [{stem}]",
        "{title}_{stem}",
        "{title}-{stem}-Bmin-120bpm-440hz",
        "{stem} - {title}",
        "03 {title} ({stem})",
    ],
)
def test_files_that_share_a_name_and_differ_in_the_role_are_a_song(pattern):
    titles, stems = ("Song of Love", "Song of Hate"), ("Vocals", "Drums", "Bass")
    names = each(titles, stems, pattern)
    found = songs(names)
    assert [title.rpartition("- ")[2] for title in found] == list(titles) or all(
        title.endswith(own) for title, own in zip(found, titles, strict=True)
    )
    assert list(found.values()) == [names[:3], names[3:]]


def test_titles_keep_their_own_numbers_and_brackets():
    names = each(("99 Problems", "Song (Live)", "Song"), ("vocals", "drums"), "{title} - {stem}")
    assert list(songs(names)) == ["99 Problems", "Song (Live)", "Song"]
    numbered = each(("Song 1", "Song 2"), ("vocals", "drums"), "{title} - {stem}")
    assert list(songs(numbered)) == ["Song 1", "Song 2"]


def test_one_word_is_a_title_where_the_files_are_a_whole_song():
    found = songs(each(("help", "yesterday"), ("vocals", "no_vocals"), "{title}-{stem}"))
    assert list(found) == ["help", "yesterday"]


def test_songs_whose_titles_begin_alike_stay_apart():
    found = songs(each(("Love", "Love Song"), ("drums", "bass"), "{title} - {stem}"))
    assert {title: len(files) for title, files in found.items()} == {"Love": 2, "Love Song": 2}


def test_a_stem_that_no_word_knows_goes_with_its_song_and_a_stranger_with_none():
    names = [*each(("A Song", "B Song"), ("drums", "bass"), "{title} - {stem}")]
    found = shelf([*names, "B Song - theremin", "loose"])
    assert [path.stem for path in found.songs[1].files] == [
        "B Song - drums", "B Song - bass", "B Song - theremin",
    ]  # fmt: skip
    assert [path.stem for path in found.rest] == ["loose"]


def test_a_folder_of_vocals_is_a_song_each():
    found = songs([f"{who} (Acapella)" for who in ("A - X", "B - Y", "C - Z")])
    assert list(found) == ["A - X", "B - Y", "C - Z"]


@pytest.mark.parametrize(
    "names",
    [
        ["vocals", "bass", "drums"],
        ["My Track 01 - BD+Snr", "My Track 02 - Moog Sub", "My Track 03 - Ld 2 DI"],
        ["My Song - kick", "My Song - snare", "My Song - bass"],
        ["Kick In", "Kick Out", "Bass DI", "Bass Amp", "Gtr DI", "Gtr Amp", "Vox"],
        ["Bass-DI", "Gtr-DI", "Bass-Amp", "Gtr-Amp"],
        ["Guitar Marshall L", "Guitar Marshall R", "Guitar Fender L", "Guitar Fender R"],
        ["Drums - Kick", "Drums - Snare", "Gtr - Lead", "Gtr - Solo", "Vox - Lead", "Vox - Choir"],
        ["Live Drums - Kick", "Live Drums - Snare", "Ben Gtr - Lead", "Ben Gtr - Solo"],
        ["Verse - drums", "Verse - vocals", "Chorus - drums", "Chorus - vocals"],
        ["Kick 1", "Kick 2", "Snare 1", "Snare 2"],
        [],
    ],
)
def test_a_folder_of_one_song_stays_one(names):
    assert shelf(names).songs == []


def test_two_singers_are_one_song_unless_the_files_say_otherwise():
    names = each(("John", "Mary"), ("Vox", "Gtr"), "{title} {stem}")
    assert (shelf(names).songs, shelf(names).could_be) == ([], ("John", "Mary"))
    lengths = dict.fromkeys(names[:2], 200.0) | dict.fromkeys(names[2:], 180.0)
    assert list(songs(names, lengths=lengths)) == ["John", "Mary"]


def test_in_the_root_one_title_is_enough():
    names = ["My Track 01 - Kick", "My Track 02 - Bass"]
    assert songs(names) == {}
    assert songs(names, alone=True) == {"My Track": names}
    assert songs(["vocals", "bass"], alone=True) == {}
