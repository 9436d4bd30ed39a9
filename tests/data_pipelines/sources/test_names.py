"""Names of stems; `python -m tests.data_pipelines.sources.test_names` writes docs/names.md anew."""

import csv
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from data_pipelines.sources.song import kind_of
from data_pipelines.sources.titles import kinds_of_song
from data_pipelines.sources.vocabulary import vocabulary_of
from mashnet.commands.hydra_program import CONFIGS

ROLES = OmegaConf.to_container(OmegaConf.load(CONFIGS / "pipeline" / "source" / "stems.yaml").roles)
DOCS = Path(__file__).resolve().parents[3] / "docs" / "names.md"
SAID_AS = {
    "vocal": "vocal",
    "percussion": "percussion",
    "harmonic": "harmonic",
    "lead": "a leading line: vocal where nobody sings, else harmonic",
    "other": "vocal where nobody sings and nothing leads, else harmonic",
    "accompaniment": "everything but the vocal",
    "composite": "several roles in one, or other sounds: kept, in no mix",
    "ignored": "the sum of all stems, or no music: left out",
    "": "says nothing: kept, and listed in the rejects",
}


def table() -> list[tuple[str, str]]:
    with (Path(__file__).with_name("names.csv")).open(encoding="utf-8", newline="") as file:
        return [(row["name"], row["kind"]) for row in csv.DictReader(file)]


def page() -> str:
    """Return docs/names.md as the table has it."""
    lines = [
        "# What names of stems say",
        "",
        "Made from tests/data_pipelines/sources/names.csv; a test holds the two equal.",
        "[data.md](data.md) has the rules, `configs/pipeline/source/stems.yaml` the words.",
        "",
        "| kind | becomes | names |",
        "|---|---|---|",
    ]
    for kind, meaning in SAID_AS.items():
        names = ", ".join(f"`{name}`" for name, is_kind in table() if is_kind == kind)
        lines.append(f"| {kind or '–'} | {meaning} | {names} |")
    return "\n".join(lines) + "\n"


def test_the_docs_have_the_table():
    assert DOCS.read_text("utf-8") == page()


def test_the_table_has_200_names_and_five_of_each_common_thing():
    names = table()
    assert len(dict(names)) == len(names) >= 200
    for kind in ("vocal", "percussion", "harmonic", "accompaniment", "composite"):
        assert sum(is_kind == kind for _, is_kind in names) >= 20


@pytest.mark.parametrize(("name", "kind"), table())
def test_names_are_read_as_people_mean_them(name, kind):
    assert (kind_of(name, ROLES) or "") == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        # What only looks like a negation.
        ("Piano", "harmonic"),
        ("Nova bass", "harmonic"),
        ("Noah vox", "vocal"),
        ("Minus the Bear - drums", "percussion"),
        ("Wireless synth", "harmonic"),
        ("Yes or No - drums", "percussion"),
        ("No Doubt - vocals", "vocal"),
        ("Track No. 3 - Bass", "harmonic"),
        ("Vocals no FX", "vocal"),
        ("Full Mix, no click", "ignored"),
        ("Drums (no kick)", "percussion"),
        # What is one, in a title's company.
        ("1_Bass Song_(No Drums)", "composite"),
        ("Artist - Drum Song - no vocals", "accompaniment"),
        ("Full mix minus drums", "composite"),
        ("no instrumental", "vocal"),
        # Brackets, else the end.
        ("1_Song_(Instrumental)_Kim_Vocal_2", "accompaniment"),
        ("My Song (Instrumental) - Drums", "percussion"),
        ("Vocals (Drums)", "percussion"),
        # Joined words, and what only ends like one.
        ("leadvox", "vocal"),
        ("overdriveguitar", "harmonic"),
        ("clickflute", "harmonic"),
        ("Leghorn", None),
        ("monkeys", None),
        ("nocturne", None),
    ],
)
def test_negations_brackets_and_joined_words(name, kind):
    assert kind_of(name, ROLES) == kind


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["Tom Sawyer - bass", "Tom Sawyer - theremin"], ["harmonic", None]),
        (["Master of Puppets - drums", "Master of Puppets - mix"], ["percussion", "ignored"]),
        (["No Doubt bass", "No Doubt drums"], ["harmonic", "percussion"]),
        (["Bass Song - bass", "Bass Song - drums"], ["harmonic", "percussion"]),
        (["no_vocals", "vocals"], ["accompaniment", "vocal"]),
        (["1_Vocal Song_(Vocals)_x", "1_Vocal Song_(Instrumental)_x"], ["vocal", "accompaniment"]),
        # Shared words that are no title.
        (["no_vocals", "no_drums"], ["accompaniment", "composite"]),
        (["Vocal_Lead", "Vocal_Double", "Vocal_Harmony"], ["vocal"] * 3),
        (["Guitar 1", "Guitar 2"], ["harmonic"] * 2),
        (["Vocal Take 1", "Vocal Take 2"], ["vocal"] * 2),
        (["lead vocals", "backing vocals"], ["vocal"] * 2),
    ],
)
def test_what_all_names_of_a_song_share_is_its_title(names, kinds):
    assert kinds_of_song(names, vocabulary_of(ROLES)) == kinds


def test_the_songs_own_name_says_nothing():
    vocabulary = vocabulary_of(ROLES)
    assert kinds_of_song(["Tom Sawyer theremin"], vocabulary, "Tom Sawyer") == [None]
    assert kinds_of_song(["Tom Sawyer"], vocabulary, "Tom Sawyer") == [None]
    assert kinds_of_song(["Guitar 1"], vocabulary, "Guitar") == ["harmonic"]


def test_users_change_the_words():
    roles = {**ROLES, "vocal": ["theremin*"]}
    assert kind_of("My Theremins", roles) == "vocal"
    assert kind_of("no theremin", roles) == "accompaniment"
    assert kind_of("vocals", roles) is None


if __name__ == "__main__":
    DOCS.write_text(page(), encoding="utf-8")
