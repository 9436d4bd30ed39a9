"""Whatever files are called, reading their names raises nothing and loses no file."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from data_pipelines.sources.name_hints import hints_of_name
from data_pipelines.sources.one_folder import shelf_of
from data_pipelines.sources.titles import kinds_of_song
from data_pipelines.sources.vocabulary import vocabulary_of
from mashnet.commands.hydra_program import CONFIGS

ROLES = OmegaConf.to_container(OmegaConf.load(CONFIGS / "pipeline" / "source" / "stems.yaml").roles)
WORDS = st.sampled_from(
    "no minus w/o less vocals Drums bass Song My 01 8A Am F# min 120 bpm 120bpm é 音楽".split()
)
APART = st.sampled_from(["", " ", "-", " - ", "_", "(", ")", "[", "]", "{", ".", "'", "♭", "|"])
NAMES = st.one_of(
    st.lists(st.tuples(WORDS, APART), min_size=1, max_size=8).map(
        lambda pairs: "".join(word + between for word, between in pairs).replace("/", "")
    ),
    st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=40),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), NAMES, st.booleans())
def test_any_names(names, folder, alone):
    vocabulary = vocabulary_of(ROLES)
    assert len(kinds_of_song(names, vocabulary, folder)) == len(names)
    for name in names:
        hints_of_name(name)
    files = [Path(f"{name}.wav") for name in names]
    shelf = shelf_of(files, vocabulary, lambda path: None, alone=alone)
    placed = [path for song in shelf.songs for path in song.files]
    assert sorted([*placed, *shelf.rest]) == sorted(files)
