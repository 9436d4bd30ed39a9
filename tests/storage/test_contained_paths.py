"""The one door: whatever a name is, what it leads to lies in the folder, or nothing is done."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mashnet.errors import DatabaseError
from mashnet.files import remove_folder
from mashnet.storage.contained_paths import MOST_NAME_BYTES, inside, is_plain_name, place
from mashnet.storage.paths import root_of

# What breaks out, and whatever hypothesis finds between.
PIECES = st.sampled_from(["..", ".", "/", "\\", "\0", "~", "a", "C:", "é", " ", "\n", "x" * 120])
NAMES = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=8).map("".join))
STORE = "memory://bucket/db"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of somebody's beside a database, and all ways that lead from one to the other."""
    root = tmp_path_factory.mktemp("place")
    mine, database = root / "music", root / "db"
    (mine / "album").mkdir(parents=True)
    (mine / "album" / "song.flac").write_text("mine")
    (database / "audio" / "clip").mkdir(parents=True)
    (database / "audio" / "link").symlink_to(mine)
    (database / "linked").symlink_to(mine)
    return mine, database


@settings(max_examples=300, deadline=None)
@given(name=NAMES)
@example(name="..")
@example(name="../music")
@example(name="")
@example(name="a" * 304)
@example(name="a\0b")
@example(name="..a")
def test_no_name_leads_out(tree, name):
    mine, database = tree
    for root in (database, root_of(STORE)):
        try:
            found = place(root, "audio", name)
        except DatabaseError as error:
            assert not (is_plain_name(name) and name != "link")
            assert "\n" not in str(error) and "\0" not in str(error) and len(str(error)) < 600
        else:
            assert found.parent == root / "audio" and found.name == name
            assert len(found.name.encode()) <= MOST_NAME_BYTES
    with pytest.raises(DatabaseError):
        remove_folder(database, "audio", "link", name or "x")
    if not is_plain_name(name):
        with pytest.raises(DatabaseError):
            remove_folder(database, "audio", name)
    assert (mine / "album" / "song.flac").read_text() == "mine"


@settings(max_examples=300, deadline=None)
@given(path=NAMES)
@example(path="audio/../../music/album/song.flac")
@example(path="/etc/passwd")
@example(path="audio/link/album/song.flac")
def test_no_path_of_a_row_leads_out(tree, path):
    _, database = tree
    for root in (database, root_of(STORE)):
        try:
            found = inside(root, path, "a stem")
        except DatabaseError as error:
            assert "\n" not in str(error) and "\0" not in str(error)
        else:
            assert found.is_relative_to(root.resolve()) and "\0" not in str(found)


@pytest.mark.parametrize("value", [None, 5, b"a", ["a"], 1.5])
def test_what_is_no_text_is_no_name(tree, value):
    assert not is_plain_name(value)
    with pytest.raises(DatabaseError, match="is none"):
        inside(tree[1], value, "a stem")


def test_links_stop_writing_and_deleting_but_the_root_may_be_one(tree, tmp_path):
    mine, database = tree
    (tmp_path / "root").symlink_to(database)
    assert place(tmp_path / "root", "audio", "clip") == tmp_path / "root" / "audio" / "clip"
    for way in (("linked",), ("linked", "album"), (PurePosixPath("audio/link/album"), "x.flac")):
        with pytest.raises(DatabaseError, match="is a symbolic link"):
            place(tmp_path / "root", *way)
        with pytest.raises(DatabaseError, match="is a symbolic link"):
            remove_folder(tmp_path / "root", *way)
    with pytest.raises(ValueError, match="never deleted"):
        remove_folder(database)
    assert (mine / "album" / "song.flac").read_text() == "mine"
    remove_folder(tmp_path / "root", "audio", "clip")
    assert not (database / "audio" / "clip").exists()
