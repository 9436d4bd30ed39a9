"""What a benchmark leaves: JSON for programs, a table for readers, both printed as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mashnet.files import write_json, written_atomically


def publish(out: Path, name: str, results: dict[str, Any], table: str) -> None:
    """Write NAME.json and NAME.md into a folder and print them.

    Args:
        out: made if absent.
        name: of the files.
        results: plain values.
        table: the same as Markdown.
    """
    write_json(out / f"{name}.json", results)
    with written_atomically(out / f"{name}.md") as temporary:
        temporary.write_text(table, "utf-8")
    print(json.dumps(results))
    print(table)
