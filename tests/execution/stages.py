"""All stages over recordings and songs in stems, by one executor; writes the digests to OUT.json.

python -m tests.execution.stages FOLDER OUT overrides of the executor …
"""

import json
import multiprocessing.forkserver
import sys
from pathlib import Path

from data_pipelines.embeddings import stage as embeddings
from data_pipelines.loops import stage as loops
from data_pipelines.mashupdb import stage as mashupdb
from data_pipelines.mixes import stage as mixes
from data_pipelines.structure import stage as structure
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.files import file_digest
from tests.worker_processes import naming_all_work


def main(folder: Path, out: Path, *executor: str) -> None:
    def config(stage: str, *settings: str):
        return compose(stage, [*settings, *executor], CONFIGS / "pipeline")

    songs = ["source=songs", f"source.root={folder / 'recordings'}", f"out={out / 'separated'}"]
    demucs = ["separate.model=tiny", f"separate.repo={folder / 'weights'}"]
    mashupdb.build(config("mashupdb", *songs, *demucs, "clip.min_s=5"))
    db = out / "db"
    mashupdb.build(config("mashupdb", f"source.root={folder / 'stems'}", f"out={db}"))
    mixes.make(config("mixes", f"db={db}", "duration.min_s=3.0", "sample_rate=8000"))
    loops.make(config("loops", f"db={db}", "loops.from=stems", "loops.min_bars=3"))
    structure.make(config("structure", f"db={db}"))
    embeddings.make(config("embeddings", f"db={db}", "checkpoint=checkpoints/contrastive"))
    files = sorted(path for path in out.rglob("*") if path.is_file())
    digests = {path.relative_to(out).as_posix(): file_digest(path) for path in files}
    out.with_suffix(".json").write_text(json.dumps(digests))


if __name__ == "__main__":
    # All stages in one process: the workers of each would import what those of the first did not.
    multiprocessing.forkserver.set_forkserver_preload = naming_all_work()
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
