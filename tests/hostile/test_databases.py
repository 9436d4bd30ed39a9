"""Databases from strangers: refused with a reason, or as good as an honest one."""

import shutil
from pathlib import Path

from tests.conftest import make_tiny_database
from tests.hostile.databases import spoilers
from tests.hostile.reader import MOST_BYTES, Reader


def test_108_spoiled_manifests_and_tables(reader: Reader, tmp_path: Path) -> None:
    honest = make_tiny_database(tmp_path / "honest", songs=2).root
    database = tmp_path / "db"
    reader.warm("database", honest)
    for name, spoil in spoilers():
        shutil.rmtree(database, ignore_errors=True)
        shutil.copytree(honest, database)
        spoil(database)
        outcome = reader.read("database", database)
        assert outcome.memory < MOST_BYTES, name
        if outcome.kind == "read":
            # Parquet has no checksums: a bit of a value is another value, a bit of the footer may
            # be a statistic or the name of the program that wrote it. The tables are whole then.
            assert name.startswith(("body-", "footer-")), name
            assert outcome.said["tables"]["clips"] == 2 and outcome.said["tables"]["stems"] == 6
            continue
        assert outcome.kind == "refused", (name, outcome.said)
        assert str(database) in outcome.said, (name, outcome.said)
        assert "\n" not in outcome.said and len(outcome.said) < 5000, (name, outcome.said)
