import importlib.util
import socket

import pytest

from mashnet.errors import ConfigError, DatabaseError
from mashnet.studio import __main__ as program
from mashnet.studio.settings import (
    Settings,
    libraries_beside,
    require_free,
    understood,
)
from tests.conftest import make_tiny_database


def test_what_is_typed_is_understood():
    assert understood(["library=a/b"]) == Settings("a/b", None, 8501)
    assert understood(["port=9000", "library=x", "scorer=checkpoints/alignnet"]) == Settings(
        "x", "checkpoints/alignnet", 9000
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "library=… must be given; usage: python -m mashnet.studio"),
        (["library=a", "db=b"], "setting 'db' is not available"),
        (["library="], "'library=' is not key=value"),
        (["data/real"], "'data/real' is not key=value"),
        (["library=a", "port=high"], "port=high: expected a whole number, from 1 to 65535"),
        (["library=a", "port=70000"], "port=70000: expected a whole number"),
    ],
)
def test_what_is_not_understood_is_one_line(arguments, said):
    with pytest.raises(ConfigError) as refused:
        understood(arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture
def no_server(monkeypatch):
    """Fail if the program gets as far as becoming the server."""

    def started(*_):
        raise AssertionError("the server was started")

    monkeypatch.setattr(program, "serve", started)


@pytest.mark.usefixtures("no_server")
def test_an_unknown_library_is_refused(tmp_path):
    with pytest.raises(DatabaseError, match="is not a MashupDB"):
        program.main([f"library={tmp_path / 'nowhere'}"])


@pytest.mark.usefixtures("no_server")
def test_a_library_that_must_not_be_written_to_is_refused(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=2)
    (database.root / "cache").write_text("a file where a folder should be")
    with pytest.raises(DatabaseError, match=r"cache.scores cannot be written to: Not a directory"):
        program.main([f"library={database.root}"])


@pytest.mark.usefixtures("no_server")
def test_without_streamlit_it_says_how_to_get_it(small_library, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "streamlit" else real(name)
    )
    with pytest.raises(ConfigError, match="mashnet.studio."):
        program.main([f"library={small_library.root}"])


@pytest.mark.usefixtures("no_server")
def test_an_unknown_scorer_is_refused_with_the_nearest(small_library):
    with pytest.raises(ConfigError, match="Did you mean 'alignment'"):
        program.main([f"library={small_library.root}", "scorer=alignement"])


@pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"])
def test_a_port_that_is_taken_is_refused(socket_enabled):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port={port} cannot be had"):
            require_free(port)
    require_free(port)


def test_the_server_is_started_for_this_machine_only_and_reports_to_nobody(
    small_library, monkeypatch
):
    seen = []
    monkeypatch.setattr(program, "serve", seen.extend)
    monkeypatch.setattr(program, "require_free", lambda port: None)
    program.main([f"library={small_library.root}", "port=8765"])
    assert "--server.address=localhost" in seen
    assert "--server.port=8765" in seen
    assert "--server.maxUploadSize=1" in seen
    assert "--browser.gatherUsageStats=false" in seen
    assert seen[seen.index("--") + 1 :] == [f"library={small_library.root}", "port=8765"]


def test_libraries_beside_the_given_one_are_offered(tmp_path):
    for name in ("b", "a"):
        make_tiny_database(tmp_path / name, songs=1)
    (tmp_path / "no library").mkdir()
    assert libraries_beside(str(tmp_path / "b")) == [str(tmp_path / "b"), str(tmp_path / "a")]
